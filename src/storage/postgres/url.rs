//! The URL of the database: which hosts it names, and how they are reached. It connects to nothing.

use std::net::IpAddr;
use std::path::PathBuf;

use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What a URL says.
pub(super) struct Url {
    /// In its order; at least one.
    pub hosts: Vec<OneHost>,
    pub database: String,
    pub is_encrypted: bool,
    /// The file of the certificates that are trusted, instead of the system's.
    pub root: Option<PathBuf>,
}

/// One of the hosts, with everything that a connection to it needs.
pub(super) struct OneHost {
    /// How the operator knows it.
    pub name: String,
    pub config: Config,
}

/// Why a URL names no database. None of them has the password in it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    #[error(
        "it is not a PostgreSQL URL, such as postgres://user:password@host:5432/database, or has a parameter that is not known"
    )]
    Malformed,
    #[error("it names no {0}")]
    Lacks(&'static str),
    #[error("one of its hosts has no name; several hosts are written as host1:5432,host2:5432")]
    NamelessHost,
    #[error("its host or its database has an @ in it; write an @ of the password as %40")]
    At,
    #[error("it names {0} hosts, but {1} of their {2}")]
    Uneven(usize, usize, &'static str),
    #[error("its sslmode is {0:?}; expected: disable or require")]
    SslMode(String),
    #[error("its target_session_attrs is {0:?}; expected: read-write")]
    Session(String),
    #[error("its sslrootcert {0} cannot be read as certificates in PEM")]
    Certificates(PathBuf),
}

impl Url {
    /// Connections are encrypted unless all hosts are this machine, or as `sslmode` says.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let Parts { rest, mode, root } = take_own(text)?;
        let config: Config = rest.parse().map_err(|_| UrlError::Malformed)?;
        let database = config.get_dbname().ok_or(UrlError::Lacks("database"))?.to_owned();
        if config.get_user().is_none() {
            return Err(UrlError::Lacks("user"));
        }
        let hosts = each_host(&config)?;
        // The library takes the first @ for the end of the password, so a part of that would be shown as a name.
        if database.contains('@') || hosts.iter().any(|host| host.name.contains('@')) {
            return Err(UrlError::At);
        }
        let is_encrypted = match mode.as_deref() {
            None => !hosts.iter().all(OneHost::is_near),
            Some("disable") => false,
            Some("require") => true,
            Some(other) => return Err(UrlError::SslMode(other.into())),
        };
        Ok(Self { hosts, database, is_encrypted, root })
    }
}

impl OneHost {
    /// Whether it is this machine.
    fn is_near(&self) -> bool {
        let is_near = |host: &Host| match host {
            Host::Tcp(host) => host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
            Host::Unix(_) => true,
        };
        self.config.get_hosts().iter().all(is_near)
            && self.config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }
}

/// The configuration of each host alone, as the library pairs hosts, addresses and ports.
fn each_host(all: &Config) -> Result<Vec<OneHost>, UrlError> {
    let (addresses, ports) = (all.get_hostaddrs(), all.get_ports());
    // The library takes the list of a parameter `host=a,b` for one name.
    let hosts: Vec<Host> = all.get_hosts().iter().flat_map(listed).collect();
    if hosts.is_empty() {
        return Err(UrlError::Lacks("host"));
    }
    if !addresses.is_empty() && addresses.len() != hosts.len() {
        return Err(UrlError::Uneven(hosts.len(), addresses.len(), "addresses"));
    }
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err(UrlError::Uneven(hosts.len(), ports.len(), "ports"));
    }
    let one = |(at, host): (usize, &Host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let mut config = without_hosts(all);
        config.port(port);
        if let Some(address) = addresses.get(at) {
            config.hostaddr(*address);
        }
        let name = match host {
            Host::Tcp(name) if name.is_empty() => return Err(UrlError::NamelessHost),
            Host::Tcp(name) => {
                config.host(name);
                format!("{name}:{port}")
            }
            Host::Unix(folder) => {
                config.host_path(folder);
                folder.display().to_string()
            }
        };
        Ok(OneHost { name, config })
    };
    hosts.iter().enumerate().map(one).collect()
}

fn listed(host: &Host) -> Vec<Host> {
    match host {
        Host::Tcp(names) => names.split(',').map(|name| Host::Tcp(name.to_owned())).collect(),
        Host::Unix(folder) => vec![Host::Unix(folder.clone())],
    }
}

/// What holds for every host.
fn without_hosts(all: &Config) -> Config {
    let mut config = Config::new();
    config.channel_binding(all.get_channel_binding()).ssl_negotiation(all.get_ssl_negotiation());
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(database) = all.get_dbname() {
        config.dbname(database);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    config
}

/// A URL without the parameters that are read here.
struct Parts {
    rest: String,
    mode: Option<String>,
    root: Option<PathBuf>,
}

/// Parameters that the library reads.
const PASSED_ON: [&str; 9] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "options",
    "channel_binding",
    "sslnegotiation",
];

/// Takes the parameters out of a URL that the library does not know, or reads otherwise.
fn take_own(text: &str) -> Result<Parts, UrlError> {
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(UrlError::Malformed);
    }
    let (base, query) = text.split_once('?').unwrap_or((text, ""));
    let (mut mode, mut root, mut kept) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(PathBuf::from(value)),
            // Both mean the same here, and it holds without them, too.
            Some(("target_session_attrs", "read-write" | "primary")) => {}
            Some(("target_session_attrs", other)) => return Err(UrlError::Session(other.into())),
            Some((name, _)) if PASSED_ON.contains(&name) => kept.push(pair),
            // The library knows more, and they would be left out in silence: this server sets them itself.
            _ => return Err(UrlError::Malformed),
        }
    }
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok(Parts { rest, mode, root })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hosts of a URL and their ports, and whether connections to them are encrypted.
    fn hosts(url: &str) -> (Vec<(String, u16)>, bool) {
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let host = |OneHost { config, .. }: &OneHost| {
            let [Host::Tcp(name)] = config.get_hosts() else { panic!("one host of each") };
            assert_eq!(config.get_password(), Some(&b"p@ss"[..]));
            assert_eq!((config.get_user(), config.get_dbname()), (Some("ada"), Some("parlor")));
            (name.clone(), config.get_ports()[0])
        };
        (url.hosts.iter().map(host).collect(), url.is_encrypted)
    }

    #[test]
    fn a_url_names_one_host_or_several() {
        let ports = |of: &[(&str, u16)]| of.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        for (url, expected, is_encrypted) in [
            ("postgres://ada:p%40ss@db/parlor", &[("db", 5432)][..], true),
            ("postgres://ada:p%40ss@127.0.0.1:6000/parlor", &[("127.0.0.1", 6000)], false),
            ("postgres://ada:p%40ss@db1:1,db2:2/parlor", &[("db1", 1), ("db2", 2)], true),
            ("postgresql://ada:p%40ss@db1,[::1]:2/parlor", &[("db1", 5432), ("::1", 2)], true),
            ("postgres://ada:p%40ss@localhost:1,[::1]:2/parlor", &[("localhost", 1), ("::1", 2)], false),
            ("postgres://ada:p%40ss@a:1,b:2/parlor?sslmode=disable", &[("a", 1), ("b", 2)], false),
            (
                "postgres://ada:p%40ss@db1,db2/parlor?target_session_attrs=read-write&sslmode=require",
                &[("db1", 5432), ("db2", 5432)],
                true,
            ),
            ("postgres:///parlor?host=a,b&port=1,2&user=ada&password=p%40ss", &[("a", 1), ("b", 2)], true),
        ] {
            assert_eq!(hosts(url), (ports(expected), is_encrypted), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_wrong_is_told_in_words_without_its_password() {
        for (url, expected) in [
            ("postgres://ada:secret@db1,,db2/parlor", UrlError::NamelessHost),
            ("postgres://ada:secret@db1:1,/parlor", UrlError::NamelessHost),
            ("postgres://ada:secret@/parlor", UrlError::Lacks("host")),
            ("postgres://ada:secret@db1,db2", UrlError::Lacks("database")),
            ("postgres://db1,db2/parlor", UrlError::Lacks("user")),
            ("postgres://ada:secret@db1:one,db2/parlor", UrlError::Malformed),
            ("postgres://ada:se@cret@db1/parlor", UrlError::At),
            ("postgres://ada:se@cr/et@db1/parlor", UrlError::At),
            ("postgres://ada:se@cr,et@db1/parlor", UrlError::At),
            ("postgres://ada:secret@db1,db2/parlor?hosts=db3", UrlError::Malformed),
            ("postgres://ada:secret@db1,db2/parlor?connect_timeout=30", UrlError::Malformed),
            ("postgres://ada:secret@db1,db2/parlor?hostaddr=10.0.0.1", UrlError::Uneven(2, 1, "addresses")),
            ("postgres:///parlor?user=ada&host=a,b,c&port=1,2", UrlError::Uneven(3, 2, "ports")),
            ("postgres://ada:secret@db/parlor?sslmode=prefer", UrlError::SslMode("prefer".into())),
            ("postgres://ada:secret@db/parlor?target_session_attrs=any", UrlError::Session("any".into())),
        ] {
            let Err(error) = Url::parse(url) else { panic!("{url} is taken") };
            assert_eq!(error, expected, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
