//! The known name that a misspelt one most probably means.

/// How many known names are looked at.
const MAX_KNOWN: usize = 1_000;

/// The nearest of `known` by edit distance, letter case aside, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = letters(name);
    let limit = wanted.len().div_ceil(3).max(1);
    let distances =
        known.into_iter().take(MAX_KNOWN).map(|candidate| (distance(&wanted, &letters(candidate), limit), candidate));
    distances.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// `did you mean …?` for a diagnostic's help.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

fn letters(name: &str) -> Vec<char> {
    name.chars().take(100).flat_map(char::to_lowercase).collect()
}

/// Levenshtein's distance; names whose lengths differ by more than `limit` are not looked at.
fn distance(left: &[char], right: &[char], limit: usize) -> usize {
    if left.len().abs_diff(right.len()) > limit {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut last = index.saturating_add(1);
        let mut next = vec![last];
        for (other, above) in right.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(letter != other));
            last = replaced.min(above.saturating_add(1)).min(last.saturating_add(1));
            diagonal = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names() {
        let known = ["Parameters", "ResultPath", "ResultSelector", "Next", "End"];
        for (name, expected) in [
            ("Paramters", Some("Parameters")),
            ("resultpath", Some("ResultPath")),
            ("Nxt", Some("Next")),
            ("InputPath", None),
            ("", None),
            ("Ende", Some("End")),
            ("Ned", None),
            ("Naxet", Some("Next")),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
