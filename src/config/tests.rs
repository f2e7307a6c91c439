//! The configuration as a whole: sources over each other, and all mistakes in one report.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

fn none() -> impl Iterator<Item = (String, String)> {
    std::iter::empty()
}

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

fn defaults() -> Config {
    Config::load(None, none(), Overrides::default()).unwrap()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(None, env(pairs), Overrides::default())
}

fn from_file(text: &str) -> Result<Config, ConfigErrors> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parlor.toml");
    fs::write(&path, text).unwrap();
    Config::load(Some(&path), none(), Overrides::default()).map_err(|errors| {
        let place = format!("{}: ", path.display());
        ConfigErrors::new(errors.lines().iter().map(|line| line.replacen(&place, "", 1)).collect())
    })
}

#[test]
fn the_defaults_are_valid() {
    let config = defaults();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.public_url, None);
    assert_eq!(config.log.retention, Duration::from_hours(30 * 24));
    assert_eq!(config.limits.post_per_user, Rate { burst: 10, per_second: 2.0 });
    assert!(config.auth.hash_threads >= 1);
}

#[test]
fn the_sample_says_what_the_defaults_are() {
    let read = from_file(&Config::sample()).unwrap();
    let defaults = defaults();
    assert_eq!(read.server, defaults.server);
    assert_eq!(read.cors, defaults.cors);
    assert_eq!(read.storage, defaults.storage);
    assert_eq!(read.log, defaults.log);
    assert_eq!(read.accounts, defaults.accounts);
    assert_eq!(read.auth, defaults.auth);
    assert_eq!(read.limits, defaults.limits);
    assert_eq!(read.streams, defaults.streams);
    assert_eq!(read.metrics, defaults.metrics);
    let keys: usize = SECTIONS.iter().map(|section| section.keys.len()).sum();
    assert_eq!(read.effective().lines().count(), keys);
    assert_eq!(
        Config::sample().lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count(),
        keys
    );
}

#[test]
fn each_source_overrides_the_one_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parlor.toml");
    fs::write(
        &path,
        "[server]\nlisten = \"127.0.0.1:1\"\nname = \"File\"\n[storage]\ndata = \"from-file\"\n",
    )
    .unwrap();
    let variables = [("PARLOR_SERVER__LISTEN", "127.0.0.1:2"), ("PARLOR_STORAGE__DATA", "from-env")];
    let overrides = Overrides { data: Some("from-command".into()), listen: None };

    let config = Config::load(Some(&path), env(&variables), overrides).unwrap();

    assert_eq!(config.server.name, "File");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.storage.data, PathBuf::from("from-command"));
    assert_eq!(config.streams.heartbeat, Duration::from_secs(15));
}

#[test]
fn the_environment_has_types_too() {
    let config = from_env(&[
        ("PARLOR_LIMITS__ENABLED", "false"),
        ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
        ("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3"),
    ])
    .unwrap();
    assert!(!config.limits.enabled);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.auth.access_token, Duration::from_secs(3));
    assert_eq!(from_env(&[("PARLOR_SERVER__TRUSTED_PROXIES", "")]).unwrap().server.trusted_proxies, []);
}

#[test]
fn all_mistakes_of_all_sources_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parlor.toml");
    fs::write(
        &path,
        "name = \"Ours\"\n[sever]\nlisten = \"127.0.0.1:1\"\n[server]\nlisen = \"127.0.0.1:1\"\nshutdown_seconds = \"10\"\n\
         [accounts]\nmin_password = 7\n[limits]\npost_per_user = \"fast\"\n",
    )
    .unwrap();
    let variables =
        [("PARLOR_AUTH__SESSION_DAY", "1"), ("PARLOR_STREAMS__HEARTBEAT_SECONDS", "soon"), ("HOME", "/")];
    let overrides = Overrides { data: None, listen: Some("everywhere".into()) };

    let errors = Config::load(Some(&path), env(&variables), overrides).unwrap_err();

    let report = errors.to_string();
    for part in [
        "9 mistakes",
        "name stands in no section; it belongs below [server]",
        "there is no section [sever]; did you mean server?",
        "there is no key server.lisen; did you mean listen?",
        "server.shutdown_seconds is \"10\"; expected: a whole number of seconds",
        "accounts.min_password is 7; expected: a whole number from 8 to 128",
        "limits.post_per_user is \"fast\"; expected: \"BURST, COUNT/TIME\"",
        "PARLOR_AUTH__SESSION_DAY; did you mean PARLOR_AUTH__SESSION_DAYS?",
        "PARLOR_STREAMS__HEARTBEAT_SECONDS: streams.heartbeat_seconds is \"soon\"",
        "--listen: server.listen is \"everywhere\"; expected: an IP address and a port",
    ] {
        assert!(report.contains(part), "{part:?} is missing in:\n{report}");
    }
}

#[test]
fn every_wrong_element_of_a_list_is_named() {
    let wrong = ["*", "https://*.example.org", "null", "app.example.org", "https://app.example.org/"];
    let list = format!("https://app.example.org, {}", wrong.join(", "));
    let errors = from_env(&[("PARLOR_CORS__ORIGINS", &list)]).unwrap_err();
    let named = wrong.map(|origin| format!("{origin:?}")).join(", ");
    let line = format!("PARLOR_CORS__ORIGINS: cors.origins has {named}; expected: a list of origins");
    assert!(errors.lines()[0].starts_with(&line), "{errors}");
    let errors = from_file("[cors]\norigins = \"https://app.example.org\"\n").unwrap_err();
    assert!(
        errors.lines()[0].contains("cors.origins is \"https://app.example.org\"; expected: a list"),
        "{errors}"
    );
    let good =
        from_file("[cors]\norigins = [\"https://App.example.org:443\", \"http://[0:0::1]:5173\"]\n").unwrap();
    let written: Vec<_> = good.cors.origins.iter().map(Origin::to_string).collect();
    assert_eq!(written, ["https://app.example.org", "http://[::1]:5173"], "as browsers write them");
}

#[test]
fn a_section_that_is_no_table_is_reported() {
    let errors = from_file("server = 1\n").unwrap_err();
    assert_eq!(errors.lines(), ["server stands in no section"]);
}

#[test]
fn broken_toml_names_its_line() {
    let errors = from_file("[server]\nname = \"x\"\nname = \"y\"\n").unwrap_err();
    assert_eq!(errors.lines().len(), 1);
    assert!(errors.lines()[0].contains("line 3: duplicate key"), "{errors}");
}

#[test]
fn a_named_file_must_exist() {
    let errors = Config::load(Some(Path::new("no/such.toml")), none(), Overrides::default()).unwrap_err();
    assert!(errors.lines()[0].starts_with("no/such.toml cannot be read"), "{errors}");
}

#[test]
fn variables_of_others_are_passed_over() {
    let others = [
        ("PARLOR_LOG", "debug"),
        ("PARLOR_TEST_LISTEN__X", "1"),
        ("PARLOR_BIN", "x"),
        ("PARLOR", "http://x"),
    ];
    assert!(from_env(&others).is_ok());
    assert!(from_env(&[("PARLOR_SERVER_LISTEN", "127.0.0.1:1")]).is_err(), "one underscore is a mistake");
    assert!(from_env(&[("PARLOR_NOTHING__LISTEN", "127.0.0.1:1")]).is_err(), "no such section");
}

#[test]
fn rates_are_bursts_and_refills() {
    for (text, burst, per_second) in [
        ("10, 2/s", 10, 2.0),
        ("10,1/30s", 10, 1.0 / 30.0),
        ("3, 1/5min", 3, 1.0 / 300.0),
        ("20, 20/day", 20, 20.0 / 86_400.0),
    ] {
        let rate = from_env(&[("PARLOR_LIMITS__POST_PER_USER", text)]).unwrap().limits.post_per_user;
        assert_eq!(rate, Rate { burst, per_second }, "{text}");
    }
    for text in [
        "",
        "10",
        "10, 2",
        "0, 2/s",
        "10, 0/s",
        "10, 2/0s",
        "10, 2/week",
        "10, 2/s/s",
        "-1, 2/s",
        "10, 2.5/s",
    ] {
        assert!(from_env(&[("PARLOR_LIMITS__POST_PER_USER", text)]).is_err(), "{text}");
    }
}

#[test]
fn requests_leave_the_end_of_the_process_some_of_its_time() {
    let shutdown = |seconds| from_env(&[("PARLOR_SERVER__SHUTDOWN_SECONDS", seconds)]);
    assert_eq!(shutdown("12").unwrap().server.shutdown, Duration::from_secs(12));
    let errors = shutdown("13").unwrap_err();
    let expected = "server.shutdown_seconds is \"13\"; expected: a whole number of seconds from 0 to 12";
    assert!(errors.lines()[0].contains(expected), "{errors}");
}

#[test]
fn strangers_register_by_default_only_on_loopback() {
    let registration = |pairs: &[(&str, &str)]| from_env(pairs).unwrap().registration();
    assert_eq!(registration(&[]), Registration::Open);
    assert_eq!(registration(&[("PARLOR_SERVER__LISTEN", "[::1]:80")]), Registration::Open);
    assert_eq!(registration(&[("PARLOR_SERVER__LISTEN", "0.0.0.0:80")]), Registration::Closed);
    let both = [("PARLOR_SERVER__LISTEN", "0.0.0.0:80"), ("PARLOR_ACCOUNTS__REGISTRATION", "open")];
    assert_eq!(registration(&both), Registration::Open);
}

#[test]
fn the_public_origin_follows_the_bound_port() {
    let bound = "127.0.0.1:4711".parse().unwrap();
    assert_eq!(defaults().public_origin(bound).to_string(), "http://127.0.0.1:4711");
    let config = from_env(&[("PARLOR_SERVER__PUBLIC_URL", "https://chat.example.org")]).unwrap();
    assert_eq!(config.public_origin(bound).to_string(), "https://chat.example.org");
}
