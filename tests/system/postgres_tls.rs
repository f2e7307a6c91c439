//! Connections to PostgreSQL over TLS: the certificate has to name the host by which the server is reached, each of several hosts
//! for itself.

use std::path::Path;
use std::process::Command;

use crate::support::postgres::Database;
use crate::support::{parlor, wait_for};

/// A certificate for the loopback address, and that of the authority which has signed it.
fn certify(folder: &Path) {
    let made = |args: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        let made =
            openssl.args(["-days", "2"]).args(args).current_dir(folder).output().expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    made(&["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]);
    made(
        &[
            &["-subj", "/CN=database", "-keyout", "server.key", "-out", "server.crt"][..],
            &["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"],
            &["-addext", "subjectAltName=IP:127.0.0.1"],
        ]
        .concat(),
    );
}

#[tokio::test]
async fn over_tls_a_host_is_used_only_if_the_certificate_names_it_and_else_the_next_one_is() {
    let database = Database::create_alone().await;
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    for name in ["server.crt", "server.key"] {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        // In the data folder, as the user that the server runs as.
        database
            .run_as_superuser(&format!(
                "COPY (SELECT unnest(string_to_array('{}', chr(10)))) TO PROGRAM 'umask 077 && cat >{name}'",
                text.trim_end()
            ))
            .await;
    }
    database.run_as_superuser("ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf()").await;
    wait_for("it speaks TLS", || async { database.run_as_superuser("SHOW ssl").await == "on\n" }).await;

    let by_address = database.address().to_string();
    let by_name = format!("localhost:{}", database.address().port());
    let own = format!("@{by_address}/");
    for (hosts, is_good) in [
        (by_name.clone(), false),
        (by_address.clone(), true),
        (format!("{by_name},{by_address}"), true),
        (format!("{by_address},{by_name}"), true),
    ] {
        let url = database.url().replace(&own, &format!("@{hosts}/"));
        let url = format!("{url}?sslmode=require&sslrootcert={}", folder.path().join("ca.pem").display());
        let env = [("PARLOR_STORAGE__URL", &*url)];
        let checked = parlor(&["check", "--data", "data"], &env, "", folder.path()).await;
        let said = format!("{checked:?}");
        assert_eq!(checked.code == Some(0), is_good, "{hosts}: {said}");
        assert_eq!(said.contains("certificate"), !is_good, "{hosts}: {said}");
        assert!(!Database::is_betrayed_by(&said), "{said}");
    }
}
