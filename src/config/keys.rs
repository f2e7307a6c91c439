//! The table of all keys. One entry gives a key's name, default, rule and description. The structs, the code that reads them
//! and `config.toml` are made from it, so a key that is read is always documented.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::lists::{NETWORKS, ORIGINS};
use super::origin::Origin;
use super::rate::{Rate, RateText};
use super::reader::{Effective, Reader};
use super::rules::{
    Address, AddressOrNone, Choice, Count, Days, FileOrNone, Flag, Folder, OriginOrNone, Registration, Rule,
    Seconds, Text, Threads,
};
use super::section::{Key, Section};
use super::url::{ServiceUrl, UrlOrNone};

macro_rules! sections {
    ($(
        $( #[doc = $section_why:literal] )+
        $section:ident: $Section:ident {
            $(
                $( #[doc = $why:literal] )+
                $key:literal => $field:ident: $Type:ty = $default:tt, $rule:expr;
            )+
        }
    )+) => {
        /// The whole configuration, every value checked.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            $( $( #[doc = $section_why] )+ pub $section: $Section, )+
            pub(super) effective: Effective,
        }

        $(
            $( #[doc = $section_why] )+
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Section {
                $( $( #[doc = $why] )+ pub $field: $Type, )+
            }

            impl $Section {
                /// Looks at every key before it gives up, so that all mistakes are found in one go.
                fn read(reader: &mut Reader) -> Option<Self> {
                    $( let $field = reader.take(stringify!($section), $key, &$rule); )+
                    Some(Self { $( $field: $field?, )+ })
                }
            }
        )+

        pub(super) const SECTIONS: &[Section] = &[
            $( Section {
                name: stringify!($section),
                why: &[$( $section_why ),+],
                keys: &[
                    $( Key {
                        name: $key,
                        default: stringify!($default),
                        why: &[$( $why ),+],
                        bounds: || $rule.bounds(),
                    }, )+
                ],
            }, )+
        ];

        impl Config {
            pub(super) fn read(reader: &mut Reader) -> Option<Self> {
                $( let $section = $Section::read(reader); )+
                let effective = reader.effective();
                Some(Self { $( $section: $section?, )+ effective })
            }
        }
    };
}

sections! {
    /// Where the server is reached, and how it stops.
    server: Server {
        /// Where to listen. Port 0 takes a free one; 0.0.0.0 or [::] listens to the network: put a proxy in front that does TLS.
        "listen" => listen: SocketAddr = "127.0.0.1:8080", Address;
        /// The origin (scheme, host and perhaps port) at which browsers reach the server, such as `https://chat.example.org`. It decides whether
        /// cookies are Secure and which pages may use them. Empty: http at the address listened on.
        "public_url" => public_url: Option<Origin> = "", OriginOrNone;
        /// What people see as the name of this server.
        "name" => name: String = "Parlor", Text { max: 64 };
        /// The proxies whose X-Forwarded-For is believed, such as 127.0.0.1 and 10.0.0.0/8. From anybody else the header is ignored.
        "trusted_proxies" => trusted_proxies: Vec<IpNet> = [], NETWORKS;
        /// How long requests under way may take to finish when the server is told to stop. It always ends within 15 seconds: the
        /// rest of them is for streams and the database.
        "shutdown_seconds" => shutdown: Duration = 10, Seconds(0, 12);
    }

    /// Web pages of other origins that use the API from a browser. They sign in with tokens in `Authorization`: cookies
    /// work only for this server's own pages.
    cors: Cors {
        /// Their origins as browsers write them, such as `https://app.example.org`, each in full. Empty: only this server's own pages.
        "origins" => origins: Vec<Origin> = [], ORIGINS;
    }

    /// Where everything is kept.
    storage: Storage {
        /// The folder of the database, and of the server's keys unless `auth.secrets_file` names another file. If it is missing it is
        /// made, and only its owner can read it. A relative path begins at the folder in which the server is started.
        "data" => data: PathBuf = "data", Folder;
        /// The PostgreSQL database of several nodes, such as `postgres://user:password@host:5432/database`. Then the folder has no
        /// database, only the server's keys. `?sslmode=disable` or `require` says whether the connection is encrypted; by default
        /// it is unless the database is on this machine. Several hosts, such as `host1:5432,host2:5432`, are a server and its standbys:
        /// the one that takes writes is used. Empty: an embedded database in the folder.
        "url" => url: Option<ServiceUrl> = "", UrlOrNone { schemes: &["postgres", "postgresql"], example: "postgres://user:password@host:5432/database" };
    }

    /// Several nodes on one PostgreSQL database.
    cluster: Cluster {
        /// NATS servers by which nodes tell each other what they have written, such as `nats://user:password@host:4222`, with commas
        /// between several; `tls` in the place of `nats` insists on encryption. Worth it where many nodes read much. Empty:
        /// nodes tell each other by PostgreSQL, which needs nothing else.
        "bus" => bus: Option<ServiceUrl> = "", UrlOrNone { schemes: &["nats", "tls"], example: "nats://user:password@host:4222" };
    }

    /// The log of events, from which streams resume. Messages are kept for ever, whatever is set here.
    log: Log {
        /// How long a client can be away and still resume its stream. After that it fetches everything again.
        "retention_days" => retention: Duration = 30, Days(1, 3650);
    }

    /// Who may have an account.
    accounts: Accounts {
        /// Whether strangers may register: "open" or "closed". Empty: open while the server listens on loopback only.
        "registration" => registration: Option<Registration> = "", Choice;
        /// The fewest code points of a new password.
        "min_password" => min_password: u32 = 12, Count(8, 128);
    }

    /// Sign-in and sessions.
    auth: Auth {
        /// The file of the server's keys, the same on all nodes of one database; `parlor secrets new` prints one. A file that is named
        /// must exist. Empty: `secrets.toml` in the data folder, which is made at the first start.
        "secrets_file" => secrets_file: Option<PathBuf> = "", FileOrNone;
        /// How long an access token is valid. Clients get a new one with the refresh token, so it can be short.
        "access_token_seconds" => access_token: Duration = 900, Seconds(1, 3600);
        /// A session ends when it was not used for this long.
        "refresh_idle_days" => refresh_idle: Duration = 14, Days(1, 365);
        /// A session ends after this long, even if it is used.
        "session_days" => session: Duration = 60, Days(1, 3650);
        /// Most sessions of one account. One more ends the oldest.
        "sessions_per_user" => sessions_per_user: u32 = 20, Count(1, 1000);
        /// Threads that hash passwords, 19 MiB of memory each. 0: half the cores, at least one.
        "hash_threads" => hash_threads: usize = 0, Threads;
    }

    /// What one person, address or room may ask for. A rate is "BURST, COUNT/TIME": BURST at once, and COUNT more in each TIME,
    /// whose unit is s, min, h or day.
    limits: Limits {
        /// false lifts every rate and every cap per user, address and room, for load tests; sizes and deadlines stay.
        "enabled" => enabled: bool = true, Flag;
        /// Attempts to sign in to one account: from each network that signed in to it before, and from all other networks
        /// together. Also attempts of one session to change the password.
        "login_per_account" => login_per_account: Rate = "10, 1/30s", RateText;
        /// Attempts to sign in from one address, to accounts that never signed in from it.
        "login_per_address" => login_per_address: Rate = "20, 1/3s", RateText;
        /// New accounts from one address.
        "register_per_address" => register_per_address: Rate = "10, 1/5min", RateText;
        /// Refreshes of one session. Also its sign-outs.
        "refresh_per_session" => refresh_per_session: Rate = "10, 1/10s", RateText;
        /// Posts of one person. Also sessions that are ended from within one session.
        "post_per_user" => post_per_user: Rate = "10, 2/s", RateText;
        /// Posts of all people in one room.
        "post_per_room" => post_per_room: Rate = "50, 50/s", RateText;
        /// Messages that one person edits, deletes, pins or unpins.
        "edit_per_user" => edit_per_user: Rate = "20, 2/s", RateText;
        /// Reactions that one person adds or takes back.
        "react_per_user" => react_per_user: Rate = "20, 4/s", RateText;
        /// Rooms that one person creates, joins or adds people to, and changes of their own name.
        "join_per_user" => join_per_user: Rate = "10, 1/6s", RateText;
        /// Rooms that one person creates: each is kept for ever, and its name is taken. Refused attempts do not count.
        "rooms_per_user" => rooms_per_user: Rate = "20, 20/day", RateText;
        /// Read marks that one person moves.
        "mark_per_user" => mark_per_user: Rate = "20, 5/s", RateText;
        /// Everything that one person reads.
        "reads_per_user" => reads_per_user: Rate = "100, 50/s", RateText;
        /// Streams that one person opens.
        "stream_opens_per_user" => stream_opens_per_user: Rate = "20, 1/s", RateText;
        /// Streams that all people together open. The burst lets everybody come back at once after a restart. Each opening reads
        /// the log, so more at once would delay everything else.
        "stream_opens_per_node" => stream_opens_per_node: Rate = "2000, 200/s", RateText;
        /// Streams of one person that are open at the same time.
        "open_streams_per_user" => open_streams_per_user: u32 = 32, Count(1, 100_000);
        /// Streams of one person for one room that are open at the same time.
        "open_streams_per_room_and_user" => open_streams_per_room_and_user: u32 = 8, Count(1, 100_000);
        /// Streams of people at one address behind a trusted proxy that are open at the same time. Each stream is a connection, so
        /// without a proxy `connections_per_address` is reached first.
        "open_streams_per_address" => open_streams_per_address: u32 = 256, Count(1, 100_000);
        /// Streams of all people that are open at the same time: each takes a descriptor and about 4 KiB.
        "open_streams_per_node" => open_streams_per_node: u32 = 100_000, Count(1, 1_000_000);
        /// Connections from one address that are open at the same time; trusted proxies are exempt.
        "connections_per_address" => connections_per_address: u32 = 200, Count(1, 100_000);
        /// The largest request body, in bytes.
        "body_bytes" => body_bytes: u32 = 65536, Count(20_480, 1_048_576);
        /// How long the first byte of a connection may take, and the head of a request from its first byte on. It ends connections
        /// that send nothing, or one byte at a time.
        "head_seconds" => head: Duration = 10, Seconds(1, 60);
        /// How long the body of a request may take to arrive.
        "body_seconds" => body: Duration = 15, Seconds(1, 120);
        /// How long the answer to a request may take before it is 503. For a stream that is the time until it is open.
        "request_seconds" => request: Duration = 30, Seconds(1, 300);
        /// How long a connection is kept without a request.
        "idle_seconds" => idle: Duration = 60, Seconds(1, 600);
    }

    /// Live streams.
    streams: Streams {
        /// A quiet stream sends `ping` this often, so that both ends notice a dead connection.
        "heartbeat_seconds" => heartbeat: Duration = 15, Seconds(1, 60);
        /// A reader that stays behind for this long gets `bye` slow. It can resume.
        "slow_seconds" => slow_after: Duration = 60, Seconds(1, 3600);
    }

    /// Figures for Prometheus.
    metrics: Metrics {
        /// Where `GET /metrics` is answered, such as 127.0.0.1:9090; no other address answers it. Empty: none. Everybody who
        /// reaches the address can read the figures, so take one that only the scraper reaches. They name neither people nor rooms.
        "listen" => listen: Option<SocketAddr> = "", AddressOrNone;
    }
}
