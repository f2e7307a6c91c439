//! The configuration: what can be set, where it is read from, and the validated values the rest of the program gets.
//!
//! Each source overrides the one before it: the defaults, the configuration file, `PARLOR_SECTION__KEY` in the environment,
//! the command line. Everything that is wrong is reported together, and nothing is opened or bound before all of it is right.
//! Knows nothing of HTTP, storage or the runtime: it turns text into values and stops there.

mod keys;
mod lists;
mod origin;
mod problems;
mod rate;
mod reader;
mod rules;
mod section;
mod sources;
mod url;

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

pub use keys::{Accounts, Auth, Cluster, Config, Cors, Limits, Log, Metrics, Server, Storage, Streams};
pub use origin::Origin;
pub use problems::ConfigErrors;
pub use rate::Rate;
pub use rules::Registration;
pub use sources::Overrides;
pub use url::ServiceUrl;

use keys::SECTIONS;
use reader::Reader;
use sources::Sources;

impl Config {
    /// Reads all sources. A file that is named must exist; with no file the defaults hold.
    ///
    /// `env` is the whole environment. Variables that do not begin with `PARLOR_` are ignored.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        overrides: Overrides,
    ) -> Result<Self, ConfigErrors> {
        let mut sources = Sources::new(SECTIONS);
        if let Some(file) = file {
            sources.file(file);
        }
        sources.environment(env);
        sources.command_line(overrides);

        let mut reader = Reader::new(sources);
        let config = Self::read(&mut reader);
        let mut problems = reader.into_problems();
        if config.as_ref().is_some_and(|config| config.cluster.bus.is_some() && config.storage.url.is_none())
        {
            problems.push("cluster.bus is for several nodes; set storage.url, too, or leave it empty".into());
        }
        config.filter(|_| problems.is_empty()).ok_or_else(|| ConfigErrors::new(problems))
    }

    /// The text of `config.toml`: every key with its default, what it is for and what it may be.
    pub fn sample() -> String {
        let mut text = String::from(
            "# Every key of Parlor with its default. Nothing here has to be set: without any file the server runs on loopback.\n\
             # Use it by `parlor serve --config FILE`. PARLOR_SECTION__KEY in the environment overrides a key of the file\n\
             # (PARLOR_SERVER__LISTEN=0.0.0.0:8080; lists with commas between), and the command line overrides both.\n",
        );
        for section in SECTIONS {
            let _ = write!(text, "\n#{}\n[{}]\n", section.why.join("\n#"), section.name);
            for key in section.keys {
                let why = key.why.join("\n#");
                let bounds = (key.bounds)().map(|bounds| format!(" ({bounds})")).unwrap_or_default();
                let _ = writeln!(text, "#{why}{bounds}\n{} = {}", key.name, key.default);
            }
        }
        text
    }

    /// The values in force, one `section.key = value` a line, with the source of each that is not a default.
    pub fn effective(&self) -> String {
        self.effective.text()
    }

    /// Who may register: what `accounts.registration` says. If it is empty, anybody while the server listens on loopback only.
    pub fn registration(&self) -> Registration {
        self.accounts.registration.unwrap_or(if self.server.listen.ip().is_loopback() {
            Registration::Open
        } else {
            Registration::Closed
        })
    }

    /// The origin that browsers see: `server.public_url`. If it is empty, plain http at the address that was bound.
    pub fn public_origin(&self, bound: SocketAddr) -> Origin {
        self.server.public_url.clone().unwrap_or_else(|| Origin::plain(bound))
    }
}

#[cfg(test)]
mod tests;
