//! A walk over a text in Jackson's order, up to the first thing that it would not take.

/// What is wrong, and where Jackson stands when it says so.
pub(super) struct Fault {
    /// Its message; `{start}` stands for the place where what is open began.
    pub(super) message: String,
    pub(super) line: usize,
    /// In UTF-16 units, from 1.
    pub(super) column: usize,
    /// Line and column of the beginning of what is open.
    pub(super) start: Option<(usize, usize)>,
}

/// What a value may begin with, as Jackson lists it.
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// The longest word that Jackson repeats.
const LONGEST_WORD: usize = 256;

/// An array or object that is open.
struct Open {
    object: bool,
    /// Whether it has an element already.
    begun: bool,
    line: usize,
    column: usize,
}

impl Open {
    fn name(&self) -> &'static str {
        if self.object { "Object" } else { "Array" }
    }
}

/// The walk. Not recursive, so that no text is too deep for it.
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// The byte that is read next.
    at: usize,
    line: usize,
    /// UTF-16 units of this line that were read.
    column: usize,
    open: Vec<Open>,
}

type Scanned<T> = Result<T, Box<Fault>>;

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, at: 0, line: 1, column: 0, open: Vec::new() }
    }

    /// Reads the whole text; else the first fault and its byte.
    pub(super) fn document(mut self) -> Result<(), (Fault, usize)> {
        self.values().map_err(|fault| (*fault, self.at.saturating_sub(1)))
    }

    fn values(&mut self) -> Scanned<()> {
        self.blanks();
        if self.peek().is_none() {
            return Ok(());
        }
        self.value()?;
        while !self.open.is_empty() {
            self.element()?;
        }
        self.blanks();
        if self.peek().is_some() { self.value() } else { Ok(()) }
    }

    /// The next element of what is open, or its end.
    fn element(&mut self) -> Scanned<()> {
        let Some((object, begun, name)) = self.open.last().map(|open| (open.object, open.begun, open.name())) else {
            return Ok(());
        };
        self.blanks();
        match self.peek() {
            None => return self.end_of_open(),
            Some(mark @ ('}' | ']')) => return self.close(mark),
            Some(',') if begun => {
                self.advance();
                self.blanks();
                if self.peek().is_none() {
                    return self.fault(format!("Unexpected end-of-input within/between {name} entries"));
                }
            }
            Some(other) if begun => {
                return self.unexpected(other, &format!("was expecting comma to separate {name} entries"));
            }
            Some(_) => {}
        }
        if let Some(open) = self.open.last_mut() {
            open.begun = true;
        }
        if object {
            self.name()?;
        }
        self.value()
    }

    fn name(&mut self) -> Scanned<()> {
        match self.peek() {
            Some('"') => self.string(true)?,
            Some(other) => return self.unexpected(other, "was expecting double-quote to start field name"),
            None => return self.end_of_open(),
        }
        self.blanks();
        match self.peek() {
            Some(':') => self.advance(),
            Some(other) => return self.unexpected(other, "was expecting a colon to separate field name and value"),
            None => return self.fault("Unexpected end-of-input within/between Object entries".to_owned()),
        }
        self.blanks();
        if self.peek().is_none() {
            return self.fault("Unexpected end-of-input within/between Object entries".to_owned());
        }
        Ok(())
    }

    /// A value, or the beginning of one that holds others.
    fn value(&mut self) -> Scanned<()> {
        match self.peek() {
            Some('"') => self.string(false),
            Some(mark @ ('{' | '[')) => {
                self.advance();
                self.open.push(Open { object: mark == '{', begun: false, line: self.line, column: self.column });
                Ok(())
            }
            Some('}') => self.unexpected('}', "expected a value"),
            Some('t') => self.word("true"),
            Some('f') => self.word("false"),
            Some('n') => self.word("null"),
            Some(digit @ ('-' | '0'..='9')) => self.number(digit),
            Some(letter) if is_identifier_start(letter) => self.unknown_word(String::new()),
            Some(other) => self.unexpected(other, &format!("expected a valid value {VALUES}")),
            None => self.end_of_open(),
        }
    }

    fn close(&mut self, mark: char) -> Scanned<()> {
        self.advance();
        let Some(open) = self.open.pop() else { return Ok(()) };
        let expected = if open.object { '}' } else { ']' };
        if mark == expected {
            return Ok(());
        }
        let message = format!(
            "Unexpected close marker '{mark}': expected '{expected}' (for {} starting at {{start}})",
            open.name()
        );
        self.fault_with(message, Some((open.line, open.column)))
    }

    fn string(&mut self, is_name: bool) -> Scanned<()> {
        self.advance();
        loop {
            let Some(letter) = self.peek() else {
                let what = if is_name { " in field name" } else { ": was expecting closing quote for a string value" };
                return self.fault(format!("Unexpected end-of-input{what}"));
            };
            self.step(letter);
            match letter {
                '"' => return Ok(()),
                '\\' => self.escape()?,
                control if control < ' ' => {
                    let what = if is_name { "name" } else { "string value" };
                    let message = format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in {what}",
                        described(control)
                    );
                    return self.fault(message);
                }
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        let Some(letter) = self.peek() else {
            return self.fault("Unexpected end-of-input in character escape sequence".to_owned());
        };
        self.step(letter);
        match letter {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => Ok(()),
            'u' => self.hexadecimal(),
            other => self.fault(format!("Unrecognized character escape {}", described(other))),
        }
    }

    fn hexadecimal(&mut self) -> Scanned<()> {
        for _ in 0..4 {
            match self.peek() {
                Some(digit) if digit.is_ascii_hexdigit() => self.step(digit),
                Some(other) => {
                    return self.unexpected(other, "expected a hex-digit for character escape sequence");
                }
                None => return self.fault("Unexpected end-of-input in character escape sequence".to_owned()),
            }
        }
        Ok(())
    }

    fn number(&mut self, first: char) -> Scanned<()> {
        self.step(first);
        let mut leading = first;
        if first == '-' {
            match self.peek() {
                Some(digit) if digit.is_ascii_digit() => {
                    self.step(digit);
                    leading = digit;
                }
                other => {
                    let what = "expected digit (0-9) to follow minus sign, for valid numeric value";
                    return self.unexpected_in_number(other, what);
                }
            }
        }
        if leading == '0' && self.peek().is_some_and(|next| next.is_ascii_digit()) {
            return self.fault("Invalid numeric value: Leading zeroes not allowed".to_owned());
        }
        self.digits();
        if self.peek() == Some('.') {
            self.step('.');
            if self.digits() == 0 {
                return self.unexpected_in_number(self.peek(), "Decimal point not followed by a digit");
            }
        }
        if let Some(exponent @ ('e' | 'E')) = self.peek() {
            self.step(exponent);
            if let Some(sign @ ('+' | '-')) = self.peek() {
                self.step(sign);
            }
            if self.digits() == 0 {
                return self.unexpected_in_number(self.peek(), "Exponent indicator not followed by a digit");
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let mut count = 0_usize;
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            self.step(digit);
            count = count.saturating_add(1);
        }
        count
    }

    /// `true`, `false` or `null`, and nothing behind it that belongs to the word.
    fn word(&mut self, word: &str) -> Scanned<()> {
        let mut read = String::new();
        for expected in word.chars() {
            if self.peek() != Some(expected) {
                return self.unknown_word(read);
            }
            read.push(expected);
            self.step(expected);
        }
        if self.peek().is_some_and(is_identifier_part) { self.unknown_word(read) } else { Ok(()) }
    }

    fn unknown_word(&mut self, mut read: String) -> Scanned<()> {
        while let Some(letter) = self.peek().filter(|letter| is_identifier_part(*letter)) {
            self.step(letter);
            if read.len() < LONGEST_WORD {
                read.push(letter);
                if read.len() >= LONGEST_WORD {
                    read.push_str("...");
                }
            }
        }
        self.fault(format!("Unrecognized token '{read}': was expecting {VALUES}"))
    }

    fn end_of_open(&mut self) -> Scanned<()> {
        let Some(open) = self.open.last() else { return self.fault("Unexpected end-of-input".to_owned()) };
        let message =
            format!("Unexpected end-of-input: expected close marker for {} (start marker at {{start}})", open.name());
        let start = (open.line, open.column);
        self.fault_with(message, Some(start))
    }

    fn unexpected<T>(&mut self, letter: char, what: &str) -> Scanned<T> {
        self.step(letter);
        self.fault(format!("Unexpected character ({}): {what}", described(letter)))
    }

    fn unexpected_in_number(&mut self, letter: Option<char>, what: &str) -> Scanned<()> {
        let Some(letter) = letter else { return self.fault("Unexpected end-of-input in a Number value".to_owned()) };
        self.step(letter);
        self.fault(format!("Unexpected character ({}) in numeric value: {what}", described(letter)))
    }

    fn fault<T>(&self, message: String) -> Scanned<T> {
        self.fault_with(message, None)
    }

    fn fault_with<T>(&self, message: String, start: Option<(usize, usize)>) -> Scanned<T> {
        let Scanner { line, column, .. } = *self;
        Err(Box::new(Fault { message, line, column: column.saturating_add(1), start }))
    }

    fn blanks(&mut self) {
        while let Some(blank @ (' ' | '\t' | '\r' | '\n')) = self.peek() {
            self.step(blank);
            if blank == '\n' || (blank == '\r' && self.peek() != Some('\n')) {
                self.line = self.line.saturating_add(1);
                self.column = 0;
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn advance(&mut self) {
        if let Some(letter) = self.peek() {
            self.step(letter);
        }
    }

    fn step(&mut self, letter: char) {
        self.at = self.at.saturating_add(letter.len_utf8());
        self.column = self.column.saturating_add(letter.len_utf16());
    }
}

/// A character as Jackson describes it.
fn described(letter: char) -> String {
    let code = u32::from(letter);
    match code {
        0..=31 | 127..=159 => format!("(CTRL-CHAR, code {code})"),
        ..=255 => format!("'{letter}' (code {code})"),
        _ => format!("'{letter}' (code {code} / 0x{code:x})"),
    }
}

/// Java's `Character.isJavaIdentifierStart`, nearly.
fn is_identifier_start(letter: char) -> bool {
    letter.is_alphabetic() || matches!(letter, '$' | '_')
}

fn is_identifier_part(letter: char) -> bool {
    is_identifier_start(letter) || letter.is_alphanumeric()
}
