//! How SQLite is meant to run each statement of the store, and which steps may cost more than what is asked for. A test holds it against
//! what SQLite says.

/// What the message of an event says.
const TEXT: &str = "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)";
/// One message.
const MESSAGE: &str = "SEARCH messages USING INTEGER PRIMARY KEY (rowid=?)";
/// The author of a message.
const AUTHOR: &str = "SEARCH u USING PRIMARY KEY (id=?)";
/// The bytes of the text that a message answers.
const ANSWERED: &str = "SEARCH a USING INDEX sqlite_autoindex_messages_1 (id=?)";
/// The reader's own reactions to a message.
const MINE: &str = "SEARCH mine USING PRIMARY KEY (message=? AND user_id=?)";
/// The message that a post answers.
const REPLY: &str = "SEARCH p USING INDEX sqlite_autoindex_messages_1 (id=?) LEFT-JOIN";

/// The steps of each statement that read a table or sort, in the words of `EXPLAIN QUERY PLAN`.
pub const PLANS: &[(&str, &[&str])] = &[
    (
        "access::BY_ID",
        &[
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "access::BY_NAME",
        &[
            "SEARCH r USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    ("access::HEAD", &["SCAN log"]),
    ("accounts::ADD", &[]),
    ("accounts::ADD_PASSWORD", &[]),
    ("accounts::BY_ID", &["SEARCH users USING PRIMARY KEY (id=?)"]),
    (
        "accounts::CREDENTIALS_BY_ID",
        &["SEARCH u USING PRIMARY KEY (id=?)", "SEARCH c USING PRIMARY KEY (user_id=?)"],
    ),
    (
        "accounts::CREDENTIALS_BY_NAME",
        &[
            "SEARCH u USING INDEX sqlite_autoindex_users_2 (username=?)",
            "SEARCH c USING PRIMARY KEY (user_id=?)",
        ],
    ),
    (
        "accounts::CREDENTIALS_FOR_NETWORK",
        &[
            "SEARCH u USING INDEX sqlite_autoindex_users_2 (username=?)",
            "SEARCH c USING PRIMARY KEY (user_id=?)",
            "SEARCH n USING PRIMARY KEY (user_id=? AND network=?)",
        ],
    ),
    ("accounts::RENAME", &["SEARCH users USING PRIMARY KEY (id=?)"]),
    (
        "accounts::ADVANCE_ROOMS",
        &["SEARCH rooms USING PRIMARY KEY (id=?)", "SEARCH members USING INDEX members_present (user_id=?)"],
    ),
    ("accounts::REPLACE_PASSWORD", &["SEARCH credentials USING PRIMARY KEY (user_id=?)"]),
    (
        "stream_snapshots::OPEN_ROOM_BY_ID",
        &[
            "SCAN l",
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "stream_snapshots::OPEN_ROOM_BY_NAME",
        &[
            "SCAN l",
            "SEARCH r USING INDEX rooms_public_name (name=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "stream_snapshots::OPEN_PERSON",
        &["SCAN l", "SEARCH m USING INDEX members_present (user_id=?) LEFT-JOIN"],
    ),
    (
        "events::ROOM_PAGE",
        &["SCAN log", "SEARCH e USING INDEX events_of_room (room_id=? AND position>? AND position<?)", TEXT],
    ),
    (
        "personal_events::PERSON_PAGE",
        &[
            "SCAN log",
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH e USING INDEX events_of_room (room_id=? AND position>? AND position<?)",
            "USE TEMP B-TREE FOR ORDER BY",
            "SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=? AND since<?)",
            "SEARCH m USING COVERING INDEX members_who_left (user_id=? AND until>? AND until<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
            "USE TEMP B-TREE FOR ORDER BY",
            TEXT,
        ],
    ),
    (
        "personal_events::PERSON_DENSITY",
        &[
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH e USING COVERING INDEX events_of_room (room_id=? AND position>? AND position<?)",
            "SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)",
            "SEARCH m USING COVERING INDEX members_who_left (user_id=? AND until>? AND until<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
    (
        "events::ROOM_COUNT",
        &[
            "SEARCH events USING COVERING INDEX events_of_room (room_id=? AND position<?)",
            "SEARCH events USING COVERING INDEX events_of_room (room_id=? AND position>?)",
            "SEARCH events USING INDEX events_about (ref=? AND position>? AND position<?)",
        ],
    ),
    (
        "personal_events::OWN_COUNT",
        &["SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)"],
    ),
    (
        "personal_events::PERSON_COUNT",
        &[
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH e USING COVERING INDEX events_of_room (room_id=? AND position<?)",
            "SEARCH e USING COVERING INDEX events_of_room (room_id=? AND position>?)",
            "SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=? AND since<?)",
            "SEARCH m USING COVERING INDEX members_who_left (user_id=? AND until>? AND until<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
    ("events::LOG", &["SEARCH e USING INTEGER PRIMARY KEY (rowid>?)", TEXT, "SCAN log"]),
    ("following::END_OF_LOG", &["SCAN log"]),
    ("journal::transaction::ANNOUNCE", &[]),
    ("journal::transaction::HEAD", &["SCAN log"]),
    ("journal::transaction::MOVE_HEAD", &["SCAN log"]),
    ("journal::transaction::STORE_EVENT", &[]),
    (
        "members::PAGE",
        &[
            "SEARCH m USING INDEX members_by_name (room_id=? AND username>?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
        ],
    ),
    (
        "members::ONE",
        &[
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?)",
        ],
    ),
    (
        "members::OF_PERSON",
        &[
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH r USING PRIMARY KEY (id=?)",
        ],
    ),
    ("members::COUNT_OF_PERSON", &["SEARCH members USING INDEX members_present (user_id=?)"]),
    (
        "members::OWNERS",
        &["SEARCH members USING COVERING INDEX members_by_role (room_id=? AND role=? AND until=?)"],
    ),
    ("members::ADD", &[]),
    ("members::CLOSE", &["SEARCH members USING INDEX members_present (user_id=? AND room_id=?)"]),
    ("members::SET_ROLE", &["SEARCH members USING INDEX members_present (user_id=? AND room_id=?)"]),
    ("members::ADVANCE", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("members::PERSON_BY_NAME", &["SEARCH users USING INDEX sqlite_autoindex_users_2 (username=?)"]),
    ("people::BY_ID", &["SEARCH users USING PRIMARY KEY (id=?)"]),
    (
        "messages::OLDER",
        &[
            "SEARCH g USING INDEX messages_of_room (room_id=? AND position<?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            ANSWERED,
            MINE,
        ],
    ),
    (
        "messages::NEWER",
        &[
            "SEARCH g USING INDEX messages_of_room (room_id=? AND position>?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            ANSWERED,
            MINE,
        ],
    ),
    (
        "messages::BEYOND",
        &[
            "SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position<?)",
            "SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position>?)",
        ],
    ),
    (
        "messages::BY_ID",
        &[
            "SEARCH g USING INDEX sqlite_autoindex_messages_1 (id=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            ANSWERED,
            MINE,
        ],
    ),
    ("keys::KNOWN", &["SCAN keys"]),
    ("keys::LEARN", &[]),
    ("keys::FORGET", &[]),
    ("migrations::TABLE", &[]),
    ("migrations::NEWEST", &["SCAN migrations USING INDEX sqlite_autoindex_migrations_1"]),
    ("migrations::NOTE", &[]),
    ("networks::RECENT", &["SCAN known_networks USING COVERING INDEX known_networks_recent"]),
    ("networks::NOTE", &[]),
    (
        "networks::FORGET_SURPLUS",
        &[
            "SEARCH known_networks USING PRIMARY KEY (user_id=? AND network=?)",
            "SEARCH known_networks USING COVERING INDEX known_networks_of_user (user_id=?)",
        ],
    ),
    ("copy::IS_USED", &["SCAN log"]),
    ("epochs::FIRST_START", &[]),
    ("epochs::BEGIN", &["SCAN log", "SEARCH epochs"]),
    ("epochs::LOG", &["SCAN log"]),
    ("epochs::NOTE", &["SCAN log"]),
    ("epochs::KNOWN", &["SCAN epochs"]),
    (
        "posting::LOOK",
        &[
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH p USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
            "SEARCH g USING COVERING INDEX messages_client_id (room_id=? AND author_id=? AND client_id=?) LEFT-JOIN",
            REPLY,
        ],
    ),
    (
        "posting::LOOK_IN_SESSION",
        &[
            "SEARCH s USING PRIMARY KEY (id=?)",
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH p USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
            "SEARCH g USING COVERING INDEX messages_client_id (room_id=? AND author_id=? AND client_id=?) LEFT-JOIN",
            REPLY,
        ],
    ),
    (
        "messages::OLDER_REPLIES",
        &["SEARCH g USING INDEX messages_replies (reply_to=? AND position<?)", AUTHOR, ANSWERED, MINE],
    ),
    (
        "messages::NEWER_REPLIES",
        &["SEARCH g USING INDEX messages_replies (reply_to=? AND position>?)", AUTHOR, ANSWERED, MINE],
    ),
    (
        "messages::REPLIES_BEYOND",
        &[
            "SEARCH messages USING INDEX messages_replies (reply_to=? AND position<?)",
            "SEARCH messages USING INDEX messages_replies (reply_to=? AND position>?)",
        ],
    ),
    ("edits::EDIT", &[MESSAGE]),
    ("edits::DELETE", &[MESSAGE]),
    ("edits::DELETE_REACTIONS", &["SEARCH reactions USING PRIMARY KEY (message=?)"]),
    ("edits::LOSE_REPLY", &["SEARCH messages USING INDEX sqlite_autoindex_messages_1 (id=?)"]),
    ("mentions::REMOVE", &["SEARCH mentions USING PRIMARY KEY (room_id=? AND user_id=? AND position=?)"]),
    ("pins::PIN", &[MESSAGE]),
    ("pins::COUNT", &["SEARCH messages USING COVERING INDEX messages_pinned (room_id=? AND pinned>?)"]),
    ("pins::ALL", &["SEARCH g USING INDEX messages_pinned (room_id=? AND pinned>?)", AUTHOR, MINE]),
    ("posting::GAIN_REPLY", &[MESSAGE]),
    ("reactions::ADD", &[]),
    ("reactions::REMOVE", &["SEARCH reactions USING PRIMARY KEY (message=? AND user_id=? AND emoji=?)"]),
    ("reactions::COUNT", &[MESSAGE]),
    (
        "reactions::ALL",
        &["SEARCH x USING INDEX reactions_by_emoji (message=? AND (emoji,position)>(?,?))", AUTHOR],
    ),
    (
        "reactions::OF_EMOJI",
        &["SEARCH x USING INDEX reactions_by_emoji (message=? AND emoji=? AND position>?)", AUTHOR],
    ),
    ("posting::MESSAGE", &[]),
    ("posting::ROOM", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    (
        "posts::POSTED_BEFORE",
        &[
            "SEARCH g USING INDEX messages_client_id (room_id=? AND author_id=? AND client_id=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            MINE,
        ],
    ),
    ("probe::FILL", &[]),
    (
        "purge::OLDEST_EVENTS",
        &[
            "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            "SCAN log",
            "SEARCH consumers USING COVERING INDEX consumers_by_position",
        ],
    ),
    ("purge::PURGE_EVENTS", &["SEARCH events USING INTEGER PRIMARY KEY (rowid<?)"]),
    ("purge::RAISE_FLOOR", &["SCAN log"]),
    (
        "purge::HAS_OLD_MEMBERSHIPS",
        &["SEARCH members USING COVERING INDEX members_closed (until<?)", "SCAN log"],
    ),
    (
        "purge::PURGE_MEMBERSHIPS",
        &[
            "SEARCH members USING PRIMARY KEY (room_id=? AND user_id=? AND since=?)",
            "SEARCH members USING COVERING INDEX members_closed (until<?)",
            "SCAN log",
        ],
    ),
    ("purge::ROOM_TO_PURGE", &["SEARCH rooms USING INDEX rooms_to_purge (deleted_at>?)"]),
    ("purge::OLDEST_MESSAGES", &["SEARCH messages USING COVERING INDEX messages_of_room (room_id=?)"]),
    (
        "purge::PURGE_REACTIONS",
        &[
            "SEARCH reactions USING PRIMARY KEY (message=? AND user_id=? AND emoji=?)",
            "SEARCH g USING COVERING INDEX messages_of_room (room_id=? AND position>? AND position<?)",
            "SEARCH x USING COVERING INDEX reactions_by_emoji (message=?)",
        ],
    ),
    (
        "purge::PURGE_MESSAGES",
        &[
            "SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position>? AND position<?)",
            "SEARCH reactions USING PRIMARY KEY (message=?)",
        ],
    ),
    ("purge::NOTE_PURGED", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("purge::HAS_OLD_SESSIONS", &["SEARCH sessions USING COVERING INDEX sessions_over (expires_at<?)"]),
    (
        "purge::PURGE_SESSIONS",
        &[
            "SEARCH sessions USING PRIMARY KEY (id=?)",
            "SEARCH sessions USING COVERING INDEX sessions_over (expires_at<?)",
        ],
    ),
    ("rooms::IS_DELETED", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    (
        "rooms::DIRECTORY",
        &[
            "SEARCH r USING INDEX rooms_public_name (name>?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "rooms::SEARCH",
        &[
            "SEARCH r USING INDEX rooms_public_name (name>? AND name<?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    ("rooms::NAME_BEHIND", &["SEARCH rooms USING INDEX rooms_public_name (name>?)"]),
    (
        "rooms::OF_PERSON",
        &["SEARCH m USING INDEX members_present (user_id=?)", "SEARCH r USING PRIMARY KEY (id=?)"],
    ),
    ("rooms::CREATED_BEFORE", &["SEARCH rooms USING INDEX rooms_client_id (created_by=? AND client_id=?)"]),
    ("rooms::CREATE", &[]),
    ("rooms::UPDATE", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("rooms::CLOSE_MEMBERSHIPS", &["SEARCH members USING PRIMARY KEY (room_id=?)"]),
    ("rooms::DELETE", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("rooms::OTHER_OF_NAME", &["SEARCH rooms USING INDEX rooms_public_name (name=?)"]),
    ("sessions::STATE", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::RECENT", &["SCAN sessions USING INDEX sessions_of_user", "USE TEMP B-TREE FOR ORDER BY"]),
    ("sessions::OF_USER", &["SEARCH sessions USING INDEX sessions_of_user (user_id=?)"]),
    ("sessions::ADD", &["SEARCH credentials USING PRIMARY KEY (user_id=?)"]),
    (
        "sessions::END_SURPLUS",
        &[
            "SEARCH sessions USING PRIMARY KEY (id=?)",
            "SEARCH sessions USING INDEX sessions_of_user (user_id=?)",
        ],
    ),
    ("sessions::LOOK", &["SEARCH s USING PRIMARY KEY (id=?)", "SEARCH u USING PRIMARY KEY (id=?)"]),
    ("sessions::ROTATE", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::SEE", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::END_OWN", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::END", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::END_ALL", &["SEARCH sessions USING INDEX sessions_of_user (user_id=?)"]),
    (
        "events::FOR_PERSON",
        &["SEARCH e USING INDEX events_for_person (ref=? AND room_id=? AND type=? AND rowid>? AND rowid<?)"],
    ),
    (
        "journal::transaction::SUPERSEDE",
        &["SEARCH events USING INDEX events_for_person (ref=? AND room_id=? AND type=?)"],
    ),
    (
        "mentions::NAMED",
        &[
            "SCAN names VIRTUAL TABLE INDEX 1:",
            "SEARCH m USING INDEX members_by_name (room_id=? AND username=?)",
            "SEARCH p USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
        ],
    ),
    ("mentions::ADD", &[]),
    (
        "messages::LAST_OF_ROOMS",
        &[
            "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH n USING COVERING INDEX messages_of_room (room_id=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            MINE,
        ],
    ),
    (
        "messages::LAST_OF_ROOM",
        &["SEARCH g USING INDEX messages_of_room (room_id=?)", "SEARCH u USING PRIMARY KEY (id=?)", MINE],
    ),
    ("posting::AUTHOR", &["SEARCH members USING INDEX members_present (user_id=? AND room_id=?)"]),
    (
        "purge::PURGE_MENTIONS",
        &[
            "SEARCH mentions USING PRIMARY KEY (room_id=? AND user_id=? AND position=?)",
            "SEARCH mentions USING PRIMARY KEY (room_id=?)",
        ],
    ),
    (
        "purge::PURGE_READ_MARKS",
        &[
            "SEARCH read_marks USING PRIMARY KEY (room_id=? AND user_id=?)",
            "SEARCH read_marks USING PRIMARY KEY (room_id=?)",
        ],
    ),
    // No step reads the messages of a room: counting reads entries of its index, and as many as are counted.
    (
        "read_marks::OF_PERSON",
        &[
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH k USING PRIMARY KEY (room_id=? AND user_id=?)",
            "SEARCH g USING COVERING INDEX messages_of_room (room_id=? AND position>?)",
            "SEARCH w",
            "SCAN p",
            "SEARCH o USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            "SCAN k",
            "SEARCH l USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            "SEARCH g USING COVERING INDEX messages_of_room (room_id=? AND position>?)",
            "SCAN counted",
            "SEARCH n USING PRIMARY KEY (room_id=? AND user_id=? AND position>?)",
            "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)",
            "SCAN by_name",
            "SEARCH g USING INDEX messages_to_all (room_id=? AND position>?)",
            "SCAN to_all",
            "SCAN either",
        ],
    ),
    (
        "read_marks::IN_ROOM",
        &[
            "SEARCH k USING PRIMARY KEY (room_id=? AND user_id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?)",
            "SEARCH g USING COVERING INDEX messages_of_room (room_id=? AND position>?)",
            "SEARCH w",
            "SCAN p",
            "SEARCH o USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            "SCAN k",
            "SEARCH l USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            "SEARCH g USING COVERING INDEX messages_of_room (room_id=? AND position>?)",
            "SCAN counted",
            "SEARCH n USING PRIMARY KEY (room_id=? AND user_id=? AND position>?)",
            "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)",
            "SCAN by_name",
            "SEARCH g USING INDEX messages_to_all (room_id=? AND position>?)",
            "SCAN to_all",
            "SCAN either",
        ],
    ),
    ("read_marks::BEGIN", &["SEARCH messages USING COVERING INDEX messages_of_room (room_id=?)"]),
    ("read_marks::MOVE", &["SEARCH read_marks USING PRIMARY KEY (room_id=? AND user_id=?)"]),
    ("read_marks::MESSAGE", &["SEARCH messages USING INDEX sqlite_autoindex_messages_1 (id=?)"]),
    (
        "read_marks::BEFORE",
        &["SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position<?)"],
    ),
    (
        "read_marks::NEWEST",
        &[
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH n USING COVERING INDEX messages_of_room (room_id=?)",
        ],
    ),
];

/// Steps that cost more than what is asked for, or that read a table whole, and why they may.
pub const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("", "SCAN log", "the table has one row"),
    ("", "SCAN l", "it is the table `log`, which has one row"),
    (
        "personal_events::PERSON_PAGE",
        "USE TEMP B-TREE FOR ORDER BY",
        "joins the events of many rooms into one order; `end_of_page` bounds how many",
    ),
    ("keys::KNOWN", "SCAN keys", "once, at the start; a row for each key that was ever used"),
    (
        "migrations::NEWEST",
        "SCAN migrations USING INDEX sqlite_autoindex_migrations_1",
        "once, at the start; in the order of the index and with a limit",
    ),
    (
        "networks::RECENT",
        "SCAN known_networks USING COVERING INDEX known_networks_recent",
        "once, at the start; in the order of the index and with a limit",
    ),
    ("epochs::KNOWN", "SCAN epochs", "once, at the start; in the order of the key and with a limit"),
    ("mentions::NAMED", "SCAN names VIRTUAL TABLE INDEX 1:", "the names of one message"),
    ("read_marks::OF_PERSON", "SCAN p", "a row for each room of the person"),
    ("read_marks::OF_PERSON", "SCAN k", "a row for each room of the person"),
    ("read_marks::OF_PERSON", "SCAN counted", "a hundred rows at most"),
    ("read_marks::OF_PERSON", "SCAN by_name", "a hundred rows at most"),
    ("read_marks::OF_PERSON", "SCAN to_all", "a hundred rows at most"),
    ("read_marks::OF_PERSON", "SCAN either", "two hundred rows at most"),
    ("read_marks::IN_ROOM", "SCAN p", "a row for each room of the person"),
    ("read_marks::IN_ROOM", "SCAN k", "a row for each room of the person"),
    ("read_marks::IN_ROOM", "SCAN counted", "a hundred rows at most"),
    ("read_marks::IN_ROOM", "SCAN by_name", "a hundred rows at most"),
    ("read_marks::IN_ROOM", "SCAN to_all", "a hundred rows at most"),
    ("read_marks::IN_ROOM", "SCAN either", "two hundred rows at most"),
    ("sessions::RECENT", "SCAN sessions USING INDEX sessions_of_user", "once, at the start"),
    ("sessions::RECENT", "USE TEMP B-TREE FOR ORDER BY", "once, at the start"),
];
