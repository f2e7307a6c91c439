//! Derived files are fresh. `make openapi` writes them all anew.

use std::fs;
use std::path::{Path, PathBuf};

use parlor::config::Config;

use crate::support::parlor;

fn committed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn config_toml_says_what_the_defaults_are() {
    let path = committed("config.toml");
    // This is how `make openapi` writes the file: the text has no other door out of the program.
    if std::env::var_os("PARLOR_TEST_WRITE").is_some() {
        fs::write(&path, Config::sample()).unwrap();
    }
    let text = fs::read_to_string(path).unwrap();
    assert!(text == Config::sample(), "config.toml is stale: run `make openapi`");
}

#[tokio::test]
async fn openapi_json_says_what_the_server_does() {
    let printed = parlor(&["openapi"], &[], "", &std::env::temp_dir()).await;
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let text = fs::read_to_string(committed("openapi/openapi.json")).unwrap();
    assert!(text == printed.stdout, "openapi/openapi.json is stale: run `make openapi`");
}
