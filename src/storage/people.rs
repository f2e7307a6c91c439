//! People as events and messages name them. What else an account has is not known here.

use super::error::{Failure, Stop};
use super::rows::user_ref_of;
use super::sql::{Connection, Query, statements};
use crate::domain::ids::UserId;
use crate::domain::refusal::Refusal;
use crate::domain::user::UserRef;

statements! {
    BY_ID = "SELECT id AS user_id, username, display_name FROM users WHERE id = $1";
}

pub(super) async fn person(sql: &mut Connection, user: UserId) -> Result<UserRef, Stop> {
    let person = BY_ID.bind(user).first(sql, user_ref_of).await?;
    person.ok_or_else(|| Refusal::UserNotFound.into())
}

/// Those of these people who exist.
pub(super) async fn people(
    sql: &mut Connection,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<Vec<UserRef>, Failure> {
    let queries: Vec<_> = ids.into_iter().map(|id| BY_ID.bind(id)).collect();
    let found = Query::first_of_each(&queries, sql, user_ref_of).await?;
    Ok(found.into_iter().flatten().collect())
}
