//! Connections that are lost in a COMMIT, one at a time: what a request is told of it.

use super::chance::Chance;
use super::link::Link;
use crate::support::Server;
use crate::support::postgres::Database;

#[tokio::test]
async fn a_request_that_only_reads_never_has_an_unknown_outcome() {
    let database = Database::create().await;
    let link = Link::before(database.address(), Chance::printed("commits").fork()).await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url_through(&[link.address]))]).await;
    let mut ada = server.register("ada").await;
    for turn in 1..=8 {
        // The first use of a new token is written, so that the refresh token before it is spent.
        ada.refreshes().await;
        link.cuts_at_commit();
        let answer = ada.get("/v1/users/me").await;
        assert_eq!(link.commits_cut(), turn, "its use is written: {answer:?}");
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
        answer.problem(503, "overloaded");
        ada.get("/v1/users/me").await.ok(200);
    }
}
