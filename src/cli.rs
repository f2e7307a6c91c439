//! The command line: what can be typed, which command runs, and which exit code it gives.
//! Knows the configuration and the composition root, and nothing behind them.

use std::future::Future;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};
use unicode_normalization::UnicodeNormalization;

use crate::app;
use crate::config::{Config, Overrides, Registration};
use crate::stderr::Stderr;

/// The command ran and failed: port taken, folder unwritable, name taken.
const FAILED: u8 = 1;
/// The command could not run as it was asked for; the same code as for a wrong option.
const MISCONFIGURED: u8 = 2;
/// Most bytes read as a password. No password is that long, and an endless input must not fill the memory.
const LONGEST_LINE: u64 = 4096;

/// A chat server in one binary
#[derive(Debug, Parser)]
#[command(name = "parlor", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API, the web client and the API browser until SIGTERM, SIGHUP or Ctrl-C
    Serve {
        #[command(flatten)]
        locations: Locations,
        /// Where to listen, such as 127.0.0.1:8080; port 0 takes a free one
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
    },
    /// Print the document of the API, as served at /openapi.json
    Openapi,
    /// Check the configuration and the database of several nodes, and show the values in force
    Check {
        #[command(flatten)]
        locations: Locations,
    },
    /// Manage accounts; with the embedded database the server must be stopped
    #[command(subcommand)]
    User(User),
    /// Manage the server's keys
    #[command(subcommand)]
    Secrets(Secrets),
    /// Move everything from the embedded database of a stopped server into an empty PostgreSQL database
    Copy {
        /// The data folder of the stopped server
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The database, such as `postgres://user:password@host:5432/database`
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

#[derive(Debug, Subcommand)]
enum User {
    /// Add an account; the password is asked for, or read as one line from standard input
    Add {
        /// The login name: 3 to 32 of a-z, 0-9, _ and -
        name: String,
        /// Make the account an administrator of the server
        #[arg(long)]
        admin: bool,
        /// The name that others see; the login name if it is not given
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        #[command(flatten)]
        locations: Locations,
    },
    /// Set a new password, read as for `user add`, and end the sessions of the account
    Password {
        /// The login name
        name: String,
        #[command(flatten)]
        locations: Locations,
    },
}

#[derive(Debug, Subcommand)]
enum Secrets {
    /// Print a file of new keys to standard output
    New,
    /// Make the database forget which keys it was served with, and take those of the next start
    Forget {
        #[command(flatten)]
        locations: Locations,
    },
}

/// Where configuration and data are.
#[derive(Debug, Args)]
struct Locations {
    /// The configuration file; without it the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the database; it is made if it is missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command that the arguments ask for. Mistakes are lines on standard error.
pub fn run(stderr: &Stderr) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are "errors" with code 0 in clap.
        Err(message) => {
            let code = u8::try_from(message.exit_code()).unwrap_or(MISCONFIGURED);
            return message.print().map_or(ExitCode::from(FAILED), |()| ExitCode::from(code));
        }
    };
    match cli.command {
        Command::Serve { locations, listen } => {
            configured(stderr, locations, listen, |config| block_on(app::serve(config, stderr)))
        }
        Command::Openapi => finish(stderr, print(&app::openapi())),
        Command::Check { locations } => configured(stderr, locations, None, |config| check(&config)),
        Command::User(User::Add { name, admin, display_name, locations }) => {
            configured(stderr, locations, None, |config| {
                let password = read_password()?;
                block_on(app::add_user(config, &name, display_name.as_deref(), &password, admin))
                    .with_context(|| format!("{name} was not added"))?;
                print(&format!("added {name}\n"))
            })
        }
        Command::User(User::Password { name, locations }) => configured(stderr, locations, None, |config| {
            let password = read_password()?;
            block_on(app::set_password(config, &name, &password))
                .with_context(|| format!("the password of {name} was not changed"))?;
            print(&format!("the password of {name} is changed\n"))
        }),
        Command::Copy { from, to } => {
            let copied = block_on(async { print(&app::copy(&from, &to, |line| stderr.say(line)).await?) });
            finish(stderr, copied)
        }
        Command::Secrets(Secrets::New) => finish(stderr, print(&app::new_secrets())),
        Command::Secrets(Secrets::Forget { locations }) => configured(stderr, locations, None, |config| {
            block_on(app::forget_secrets(config)).context("the keys were not forgotten")?;
            print("the keys are forgotten; the next start makes those of its file known\n")
        }),
    }
}

/// Reads the configuration and hands it on only if all of it is right.
fn configured(
    stderr: &Stderr,
    locations: Locations,
    listen: Option<String>,
    command: impl FnOnce(Config) -> anyhow::Result<()>,
) -> ExitCode {
    // Not `std::env::vars`: it panics if any variable is not UTF-8, also one that is not ours.
    let env = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    match Config::load(locations.config.as_deref(), env, Overrides { data: locations.data, listen }) {
        Ok(config) => finish(stderr, command(config)),
        Err(errors) => {
            stderr.say(&format!("error: {errors}\n"));
            ExitCode::from(MISCONFIGURED)
        }
    }
}

fn finish(stderr: &Stderr, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr.say(&format!("error: {error:#}\n"));
            ExitCode::from(FAILED)
        }
    }
}

fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start its threads")?
        .block_on(command)
}

fn check(config: &Config) -> anyhow::Result<()> {
    let registration = match config.registration() {
        Registration::Open => "open",
        Registration::Closed => "closed",
    };
    print(&format!(
        "configuration is valid\n{}\n# in force: registration {registration}, hashing threads {}\n",
        config.effective(),
        config.auth.hash_threads
    ))?;
    block_on(async {
        if let Some(database) = app::check_database(config).await? {
            print(&format!("# the database can be used: {database}\n"))?;
        }
        if let Some(bus) = app::check_bus(config).await? {
            print(&format!("# the bus can be used: {bus}\n"))?;
        }
        Ok(())
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output is closed")
}

/// Passwords are never arguments: everybody on the machine can read those.
fn read_password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("the password cannot be read")?;
        let again = rpassword::prompt_password("Once more: ").context("the password cannot be read")?;
        // The same password may be composed differently on two keyboards.
        ensure!(password.nfc().eq(again.nfc()), "the two passwords differ; nothing was changed");
        return Ok(password);
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(LONGEST_LINE)
        .read_line(&mut line)
        .context("the password on standard input cannot be read as UTF-8")?;
    let password = line.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "standard input has no password; write it there as one line");
    Ok(password.to_owned())
}
