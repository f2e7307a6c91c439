//! Page tokens of the directory and of member lists. A token is the last name of the page before, encoded so that clients do
//! not rely on what is in it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::refusal::Refusal;

/// One page, and the token of the next page. At the end of the list there is no token.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    pub entries: Vec<T>,
    pub next_page: Option<String>,
}

/// Cuts a list that was read with one entry more than `limit`: the extra entry says that there is a next page.
pub(super) fn cut<T>(entries: &mut Vec<T>, limit: u32, name: impl Fn(&T) -> &str) -> Option<String> {
    let limit = limit as usize;
    if entries.len() <= limit {
        return None;
    }
    entries.truncate(limit);
    entries.last().map(|last| token_of(name(last)))
}

/// The token of the page that follows a name.
pub(super) fn token_of(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// The name in a page token.
pub(super) fn name_in(token: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Refusal::BadPage)?;
    String::from_utf8(bytes).map_err(|_| Refusal::BadPage)
}
