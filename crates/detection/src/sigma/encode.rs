//! Modifiers that make other texts of a text: `base64`, `base64offset`, `wide`, `windash`.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// How a text is written in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Utf8,
    /// `wide`, `utf16le`.
    Utf16Le,
    /// `utf16be`.
    Utf16Be,
    /// `utf16`: with a byte-order mark.
    Utf16,
}

/// How many dashes of a text `windash` varies: each makes five texts of one.
const DASHES_MAX: usize = 3;

pub(super) fn bytes(text: &str, encoding: Encoding) -> Vec<u8> {
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf16Le => little(text),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Utf16 => [vec![0xff, 0xfe], little(text)].concat(),
    }
}

/// Base64 (RFC 4648), padded.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// What of a text is the same in base64 wherever it begins: at the first, second and third byte of three.
pub(super) fn base64_at_each_offset(bytes: &[u8]) -> Vec<String> {
    (0..3_usize)
        .map(|offset| {
            let padded = [b"  ".get(..offset).unwrap_or_default(), bytes].concat();
            let encoded = base64(&padded);
            // Digits that depend on what stands before and behind are left out.
            let start = [0, 2, 3].get(offset).copied().unwrap_or_default();
            let end = encoded.len() - [0, 3, 2].get(padded.len() % 3).copied().unwrap_or_default();
            encoded.get(start..end).unwrap_or_default().to_owned()
        })
        .collect()
}

/// A text with each `-` or `/` that begins a word in all the ways in which Windows takes it.
pub(super) fn dashes(text: &str) -> Vec<String> {
    let is_word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let letters: Vec<char> = text.chars().collect();
    let mut texts = vec![String::new()];
    let mut varied = 0;
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| letters.get(before).copied());
        let begins_word = !is_word(before) && is_word(letters.get(index + 1).copied());
        if matches!(letter, '-' | '/') && begins_word && varied < DASHES_MAX {
            varied += 1;
            texts = texts
                .iter()
                .flat_map(|text| ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'].map(|dash| format!("{text}{dash}")))
                .collect();
        } else {
            texts.iter_mut().for_each(|text| text.push(*letter));
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_everybody_writes_it() {
        let check = |text: &str, expected: &str| assert_eq!(base64(text.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foob", "Zm9vYg==");
        assert_eq!(base64(&bytes("ab", Encoding::Utf16Le)), "YQBiAA==");
        assert_eq!(base64(&bytes("a", Encoding::Utf16Be)), "AGE=");
        assert_eq!(base64(&bytes("a", Encoding::Utf16)), "//5hAA==");
    }

    #[test]
    fn base64_at_each_offset_is_found_wherever_the_text_stands() {
        assert_eq!(base64_at_each_offset(b"foobar"), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
        for before in ["", "x", "xy", "xyz"] {
            for behind in ["", "x", "xy"] {
                let whole = base64(format!("{before}foobar!{behind}").as_bytes());
                assert!(base64_at_each_offset(b"foobar!").iter().any(|part| whole.contains(part)), "{whole}");
            }
        }
    }

    #[test]
    fn dashes_vary_where_a_word_begins() {
        assert_eq!(dashes("-a"), ["-a", "/a", "\u{2013}a", "\u{2014}a", "\u{2015}a"]);
        assert_eq!(dashes("a-b -- c/"), ["a-b -- c/"]);
        assert_eq!(dashes("-a /b").len(), 25);
    }
}
