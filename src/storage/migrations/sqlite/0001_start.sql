-- Accounts. A row is never deleted, so a username is never given to another.
CREATE TABLE users (
    id           BLOB    NOT NULL PRIMARY KEY,
    username     TEXT    NOT NULL UNIQUE,
    display_name TEXT    NOT NULL,
    admin        BOOLEAN NOT NULL,
    created_at   BIGINT  NOT NULL
) WITHOUT ROWID;

-- What a person signs in with: the hash of a password, as a PHC string. Reading a person never reads it.
CREATE TABLE credentials (
    user_id  BLOB NOT NULL PRIMARY KEY REFERENCES users (id),
    password TEXT NOT NULL
) WITHOUT ROWID;

-- One sign-in on one device. `generation` counts refreshes; `seen` is the newest one whose tokens came back to us.
CREATE TABLE sessions (
    id           BLOB   NOT NULL PRIMARY KEY,
    user_id      BLOB   NOT NULL REFERENCES users (id),
    transport    TEXT   NOT NULL,
    user_agent   TEXT,
    generation   BIGINT NOT NULL,
    seen         BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    rotated_at   BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT
) WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_over ON sessions (expires_at);

-- Networks that a person signed in from: failures of others there or elsewhere do not slow the person down from them.
-- `network` is a keyed hash of account and network, so no address is stored.
CREATE TABLE known_networks (
    user_id BLOB   NOT NULL REFERENCES users (id),
    network BLOB   NOT NULL,
    used_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, network)
) WITHOUT ROWID;
CREATE INDEX known_networks_of_user ON known_networks (user_id, used_at);
CREATE INDEX known_networks_recent ON known_networks (used_at);

-- `head` is the seq of the room's newest event; `search` is what the directory searches, folded. A deleted room keeps its
-- row, so that the log can name it; `purged` says that its messages have been taken away.
CREATE TABLE rooms (
    id           BLOB   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    title        TEXT,
    topic        TEXT,
    visibility   TEXT   NOT NULL,
    search       TEXT   NOT NULL,
    head         BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    deleted_at   BIGINT,
    purged       BOOLEAN NOT NULL,
    created_by   BLOB   NOT NULL REFERENCES users (id),
    client_id    TEXT,
    client_hash  BLOB
) WITHOUT ROWID;
CREATE UNIQUE INDEX rooms_public_name ON rooms (name) WHERE visibility = 'public' AND deleted_at IS NULL;
CREATE INDEX rooms_to_purge ON rooms (deleted_at) WHERE deleted_at IS NOT NULL AND NOT purged;
CREATE UNIQUE INDEX rooms_client_id ON rooms (created_by, client_id) WHERE client_id IS NOT NULL;

-- A membership holds from the position `since` to the position `until`; it is closed, not deleted. `username` repeats that of
-- the user, which never changes: by it the members of a room are listed. `posted` and `posted_seq` say where the member's newest
-- message stands, or one a little before it: not every post moves them (see `storage::posting`).
CREATE TABLE members (
    room_id   BLOB   NOT NULL REFERENCES rooms (id),
    user_id   BLOB   NOT NULL REFERENCES users (id),
    username  TEXT   NOT NULL,
    since     BIGINT NOT NULL,
    until     BIGINT,
    role      TEXT   NOT NULL,
    joined_at BIGINT NOT NULL,
    posted    BIGINT,
    posted_seq BIGINT,
    PRIMARY KEY (room_id, user_id, since)
) WITHOUT ROWID;
CREATE UNIQUE INDEX members_present ON members (user_id, room_id) WHERE until IS NULL;
CREATE INDEX members_by_name ON members (room_id, username) WHERE until IS NULL;
CREATE INDEX members_by_role ON members (room_id, role, until) WHERE until IS NULL;
CREATE INDEX members_closed ON members (until) WHERE until IS NOT NULL;
CREATE INDEX members_who_left ON members (user_id, until) WHERE until IS NOT NULL;

-- How far a person has read a room: up to the message at `position`, or up to nothing (0), as of the event `as_of` of the room. What
-- the person has posted since then is read, too. `version` goes on when the person leaves and comes back, so the row goes with the room.
CREATE TABLE read_marks (
    room_id  BLOB   NOT NULL REFERENCES rooms (id),
    user_id  BLOB   NOT NULL REFERENCES users (id),
    version  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    as_of    BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;

-- The present state of every message ever posted; `position` is that of its first event. What a message says stands here and
-- nowhere else. One that is deleted keeps its row, without its text. `reply_count` counts answers that are not deleted.
-- `reactions` is a JSON list of each emoji in `reactions` and how many people react with it. `pinned` is the position of the event
-- that has pinned it. `mentions` has the ids of those whom it mentions, in the order of the text; `mentions_room` is there if it
-- mentions everybody.
CREATE TABLE messages (
    position    INTEGER NOT NULL PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    room_id     BLOB    NOT NULL REFERENCES rooms (id),
    seq         BIGINT  NOT NULL,
    author_id   BLOB    NOT NULL REFERENCES users (id),
    body        TEXT    NOT NULL,
    client_id   TEXT,
    client_hash BLOB,
    created_at  BIGINT  NOT NULL,
    edited_at   BIGINT,
    deleted_at  BIGINT,
    reply_to    BLOB,
    reply_count BIGINT  NOT NULL DEFAULT 0,
    reactions   TEXT,
    pinned      BIGINT,
    pinned_at   BIGINT,
    mentions    TEXT,
    mentions_room BOOLEAN
);
-- With what unread messages are counted by, so that counting reads the index alone.
CREATE INDEX messages_of_room ON messages (room_id, position, author_id, deleted_at);
CREATE INDEX messages_to_all ON messages (room_id, position) WHERE mentions_room IS NOT NULL;
CREATE INDEX messages_pinned ON messages (room_id, pinned) WHERE pinned IS NOT NULL;
CREATE INDEX messages_replies ON messages (reply_to, position) WHERE reply_to IS NOT NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX messages_client_id ON messages (room_id, author_id, client_id) WHERE client_id IS NOT NULL;

-- Who is mentioned by which message. A row goes with the mention.
CREATE TABLE mentions (
    room_id  BLOB   NOT NULL REFERENCES rooms (id),
    user_id  BLOB   NOT NULL REFERENCES users (id),
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id, position)
) WITHOUT ROWID;

-- Who reacts to which message with what. `message` is the position of the message, `position` that of the event. The rows go with
-- what the message says.
CREATE TABLE reactions (
    message    BIGINT NOT NULL REFERENCES messages (position),
    user_id    BLOB   NOT NULL REFERENCES users (id),
    emoji      TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (message, user_id, emoji)
) WITHOUT ROWID;
CREATE UNIQUE INDEX reactions_by_emoji ON reactions (message, emoji, position);

-- The log. `data` is the JSON of the event without its cursor and without what its message says; `message` is the position of
-- that message. `ref` is the person or session that it is about, or the person it is for. An event of the audience `room` has a room
-- and a seq. One of the audience `person` has no seq, and there is one of each type for a person and a room: the newest takes the
-- place of the one before. One of the audience `node` has neither.
CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY,
    audience TEXT    NOT NULL,
    room_id  BLOB,
    seq      BIGINT,
    type     TEXT    NOT NULL,
    ref      BLOB,
    message  BIGINT,
    data     TEXT    NOT NULL,
    at       BIGINT  NOT NULL
);
CREATE INDEX events_of_room ON events (room_id, position, seq) WHERE seq IS NOT NULL;
CREATE INDEX events_about ON events (ref, position) WHERE ref IS NOT NULL;
CREATE INDEX events_for_person ON events (ref, room_id, type) WHERE audience = 'person';

-- One row: the newest position and its time, the newest purged one, the key of the cursors, the present epoch, and what the
-- database looked like when the present epoch began, where many nodes share it.
CREATE TABLE log (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    head       BIGINT  NOT NULL,
    at         BIGINT  NOT NULL,
    floor      BIGINT  NOT NULL,
    cursor_key BLOB    NOT NULL,
    epoch      BIGINT,
    identity   TEXT
);

-- Each epoch, and the position that came next when it began. `number` is the order in which they began: several
-- may begin at one position.
CREATE TABLE epochs (
    number         INTEGER NOT NULL PRIMARY KEY,
    epoch          BIGINT  NOT NULL UNIQUE,
    first_position BIGINT  NOT NULL
);

-- How far each reader of the log has come that keeps its own place. Events after that are not purged.
CREATE TABLE consumers (
    name     TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX consumers_by_position ON consumers (position);

-- At most one row. To find out whether the server can write, it is filled again, with as many bytes as the largest post writes.
CREATE TABLE trial (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    filling BLOB    NOT NULL
);

-- The keys that nodes serve with: a key by its id, and a hash of it. A node with other keys is refused. Rows are added when a
-- node has a new key, and go all together when the operator asks for it.
CREATE TABLE keys (
    id          TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL
) WITHOUT ROWID;
