//! Pages of a listing: `maxResults` and an opaque `nextToken`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::aws_json::ApiError;

/// What a page holds where nothing is asked for.
const DEFAULT_PAGE: usize = 100;

/// The length of a page, of at most 1,000 (`constraints` sees to that).
pub fn length(max_results: Option<u64>) -> usize {
    match max_results {
        None | Some(0) => DEFAULT_PAGE,
        Some(asked) => usize::try_from(asked).unwrap_or(DEFAULT_PAGE),
    }
}

/// Where a page begins: after the thing that the token of the page before names.
pub fn after(next_token: Option<&str>) -> Result<Option<String>, ApiError> {
    next_token
        .map(|token| {
            URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid_token)
        })
        .transpose()
}

/// A token that no page gave.
pub fn invalid_token() -> ApiError {
    ApiError::caller("InvalidToken", "Invalid Token: 'Invalid token'")
}

/// A full page has a token, which names its last element; `items` were asked for with one more than the page holds.
pub fn cut<T>(items: &mut Vec<T>, length: usize, name: impl Fn(&T) -> String) -> Option<String> {
    if items.len() <= length {
        return None;
    }
    items.truncate(length);
    items.last().map(|last| URL_SAFE_NO_PAD.encode(name(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_what_follows_its_page() {
        let mut items = vec!["a", "b", "c"];
        let token = cut(&mut items, 2, ToString::to_string);
        assert_eq!(items, ["a", "b"]);
        assert_eq!(after(token.as_deref()).unwrap().as_deref(), Some("b"));
        assert_eq!(cut(&mut vec!["a"], 1, ToString::to_string), None);
        assert_eq!(after(Some("%")).unwrap_err().code, "InvalidToken");
        assert_eq!((length(None), length(Some(0)), length(Some(7))), (100, 100, 7));
    }
}
