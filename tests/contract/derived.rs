//! Derived files are fresh. `make openapi` writes them all anew.

use std::fs;
use std::path::{Path, PathBuf};

use parlor::api::code::Code;
use parlor::config::Config;

use crate::support::parlor;

/// Between these stands the table of problem codes.
const CODES_BEGIN: &str = "<!-- made by `make openapi` -->";
const CODES_END: &str = "<!-- until here -->";

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

#[test]
fn the_readme_of_the_api_lists_the_problem_codes() {
    let path = committed("openapi/README.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(CODES_BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(CODES_END).expect("the table has an end");
    let row =
        |code: &Code| format!("| `{}` | {} | {} |\n", code.as_str(), code.status().as_u16(), code.meaning());
    let rows: String = Code::ALL.iter().map(row).collect();
    let table = format!("{CODES_BEGIN}\n| code | status | when |\n| --- | --- | --- |\n{rows}{CODES_END}");
    let fresh = format!("{before}{table}{after}");
    if std::env::var_os("PARLOR_TEST_WRITE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let written = fs::read_to_string(path).unwrap();
    assert!(written == fresh, "the problem codes in openapi/README.md are stale: run `make openapi`");
}
