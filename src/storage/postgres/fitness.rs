//! Whether a server may be written to: its version, and the settings that durability rests on. They are asked of each connection that
//! writes, because after a failover it may lead to another server than the one that was checked at the start.

use tokio_postgres::Client;

use crate::storage::error::Failure;

/// The oldest version that is supported, as `server_version_num` counts.
const OLDEST: i32 = 140_000;

/// `synchronous_commit` is set to what it is, so that it stays so on this connection: a change of the server's settings would
/// otherwise reach open connections unseen.
const ASK: &str = "SELECT current_setting('server_version_num')::INT, current_setting('server_version'), \
                   set_config('synchronous_commit', current_setting('synchronous_commit'), false), \
                   current_setting('fsync'), current_setting('server_encoding')";

/// What is in the way of a role in a database whose tables are to have these names. Tables of extensions do not count, and beside ours
/// there may be others.
const SURVEY: &str = "WITH here AS (SELECT oid, relname, relkind FROM pg_class c \
        WHERE relnamespace = current_schema()::REGNAMESPACE AND relkind IN ('r', 'p', 'v', 'm', 'f') \
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')) \
    SELECT current_user::TEXT, \
    EXISTS (SELECT FROM here) AND (to_regclass('migrations') IS NULL OR to_regclass('log') IS NULL), \
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), \
    (SELECT string_agg(relname, ', ' ORDER BY relname) FROM here WHERE relname = ANY($1) \
        AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
                 AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')))";

/// Refuses a server to which nothing must be written. What only its operator can change is told in words.
pub(super) async fn check(client: &Client) -> Result<(), Failure> {
    let row = client.query_one(ASK, &[]).await?;
    let version: i32 = row.try_get(0)?;
    let text = |at: usize| row.try_get::<_, String>(at);
    let (version_text, commit, fsync, encoding) = (text(1)?, text(2)?, text(3)?, text(4)?);
    if version < OLDEST {
        return Err(Failure::unfit(format!("it is PostgreSQL {version_text}; Parlor needs 14 or newer")));
    }
    if matches!(&*commit, "off" | "local") {
        let lacking = format!("synchronous_commit is {commit}, so commits may be lost; set it to on");
        return Err(Failure::unfit(lacking));
    }
    if fsync != "on" {
        return Err(Failure::unfit("fsync is off, so a crash may lose everything; set it to on".into()));
    }
    if encoding != "UTF8" {
        let lacking = "its encoding is not UTF8; create the database with encoding UTF8";
        return Err(Failure::unfit(lacking.into()));
    }
    Ok(())
}

/// What a database is before its schema is looked at.
pub(in crate::storage) enum Found {
    /// Empty or ours, and the role may do all that is needed.
    Good,
    /// It has tables, and they are not ours.
    Foreign,
    /// The role lacks rights; these words say which.
    Lacks(String),
}

pub(super) async fn survey(client: &Client, tables: &[&str]) -> Result<Found, Failure> {
    let row = client.query_one(SURVEY, &[&tables]).await?;
    let role: String = row.try_get(0)?;
    if row.try_get(1)? {
        return Ok(Found::Foreign);
    }
    if let Some(tables) = row.try_get::<_, Option<String>>(3)? {
        let lacks = format!(
            "the role {role} may not read and write {tables}; make it their owner, or GRANT it ALL on them"
        );
        return Ok(Found::Lacks(lacks));
    }
    if !row.try_get::<_, bool>(2)? {
        let lacks = format!("the role {role} may not create tables in it; GRANT it CREATE on the schema");
        return Ok(Found::Lacks(lacks));
    }
    Ok(Found::Good)
}
