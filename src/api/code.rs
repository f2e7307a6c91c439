//! The codes of problems: the closed list of reasons, each with its one status, title and meaning.

use poem::http::StatusCode;

macro_rules! codes {
    ($($name:ident $code:literal $status:ident $title:literal $meaning:literal;)*) => {
        /// Why a request was not fulfilled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The code in a few words, the same at every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// When it is answered and what to do, for the document.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" BAD_REQUEST "The request is malformed"
        "The head of the request is malformed: no, several or no real `Host`, several `Authorization` headers, or a `Transfer-Encoding` other than `chunked`.";
    InvalidBody "invalid_body" BAD_REQUEST "The body is not what the document says"
        "The body is not JSON, or not of the documented shape; `errors` names the places.";
    InvalidParameter "invalid_parameter" BAD_REQUEST "A parameter is not what the document says"
        "A query parameter is unknown, given twice, of the wrong form or out of range; `errors` names it.";
    BadCursor "bad_cursor" BAD_REQUEST "The cursor is not one of this server's"
        "The cursor is malformed or of another database: begin with the newest page.";
    BadPage "bad_page" BAD_REQUEST "The page token is not one of this server's"
        "The page token is malformed: begin with the first page.";
    InsecureTransport "insecure_transport" BAD_REQUEST "Cookies need https here"
        "Cookies were asked for, but `server.public_url` is plain http and not of this machine: use https or the bearer transport.";
    Unauthenticated "unauthenticated" UNAUTHORIZED "Not signed in"
        "There is no access token, or it is not valid any more: refresh, or sign in.";
    WrongCredentials "wrong_credentials" UNAUTHORIZED "Username and password do not match"
        "There is no such user, or the password is another.";
    InvalidRefreshToken "invalid_refresh_token" UNAUTHORIZED "The refresh token is not valid"
        "The refresh token is missing, unknown, expired or was used before: sign in.";
    CrossOrigin "cross_origin" FORBIDDEN "The request comes from another site"
        "The request carries a cookie or asks for one, but its `Sec-Fetch-Site` is not `same-origin` (or, without it, its `Origin` is not `server.public_url`).";
    NotAMember "not_a_member" FORBIDDEN "Only members of the room may do this"
        "The room is public, but the caller is not in it: join first.";
    NotAnOwner "not_an_owner" FORBIDDEN "Only owners of the room may do this"
        "The caller is in the room, but not its owner.";
    NotTheAuthor "not_the_author" FORBIDDEN "Only its author may change a message"
        "Somebody else has written the message.";
    RoleTooLow "role_too_low" FORBIDDEN "The role in the room is too low for this"
        "The caller is in the room, but neither its owner nor a moderator.";
    RegistrationClosed "registration_closed" FORBIDDEN "Registration is closed"
        "Accounts are made by the people who run the server.";
    WrongPassword "wrong_password" FORBIDDEN "The current password is wrong"
        "`current_password` is not the caller's password.";
    NotFound "not_found" NOT_FOUND "There is nothing here"
        "The path is not one of this API.";
    RoomNotFound "room_not_found" NOT_FOUND "There is no such room"
        "There is no such room, or it is private and the caller is not in it.";
    MessageNotFound "message_not_found" NOT_FOUND "There is no such message"
        "The room has no such message.";
    UserNotFound "user_not_found" NOT_FOUND "There is no such user"
        "Nobody has this username.";
    SessionNotFound "session_not_found" NOT_FOUND "There is no such session"
        "The caller has no such session.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The path does not know this method"
        "`Allow` names the methods that the path knows.";
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The body came too slowly"
        "The body was not complete in time.";
    UsernameTaken "username_taken" CONFLICT "The username is taken"
        "Somebody has, or had, this username.";
    RoomNameTaken "room_name_taken" CONFLICT "A public room has this name"
        "Another public room has this name.";
    LastOwner "last_owner" CONFLICT "The room needs an owner"
        "The last owner can neither leave the room nor give up the role.";
    MessageDeleted "message_deleted" CONFLICT "The message is deleted"
        "The message is deleted: it can neither be changed nor pinned, and nobody can react to it.";
    TooManyKinds "too_many_kinds" CONFLICT "The message has too many different reactions"
        "A message can have 20 different reactions at most: take one that it has.";
    TooManyPins "too_many_pins" CONFLICT "The room has too many pinned messages"
        "A room can have 50 pinned messages at most: unpin one first.";
    ClientIdReused "client_id_reused" CONFLICT "The client_id was used for other content"
        "The caller sent something else under this `client_id` before.";
    TooManyRooms "too_many_rooms" CONFLICT "The person is in too many rooms"
        "A person can be in at most 1,000 rooms.";
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is too large"
        "The body has more bytes than this operation reads.";
    UriTooLong "uri_too_long" URI_TOO_LONG "The address is too long"
        "Path and query have more than 8 KiB.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body must be plain application/json"
        "`Content-Type` is not `application/json` in UTF-8, or the body has a `Content-Encoding`.";
    TextNotAllowed "text_not_allowed" UNPROCESSABLE_ENTITY "The text is not allowed here"
        "A text has forbidden characters, nothing visible, too many lines, or a reserved name; `errors` names it.";
    ReplyNotFound "reply_not_found" UNPROCESSABLE_ENTITY "There is no such message to answer"
        "`reply_to` names no message of this room, or a deleted one.";
    NotAnEmoji "not_an_emoji" UNPROCESSABLE_ENTITY "This is not one emoji"
        "The path or `emoji` has something else than one emoji in its fully qualified form (RGI, Unicode UTS 51).";
    PasswordTooCommon "password_too_common" UNPROCESSABLE_ENTITY "The password is too easy to guess"
        "The password is a common one, or too close to the username.";
    TooManyRequests "too_many_requests" TOO_MANY_REQUESTS "Too many requests"
        "A limit is reached: wait for the seconds in `Retry-After`.";
    Internal "internal" INTERNAL_SERVER_ERROR "The server failed"
        "Something broke in the server; its log tells more under the `request_id`.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The server is busy"
        "The server has more to do than it can take on, and nothing was done: wait for the seconds in `Retry-After`.";
    OutcomeUnknown "outcome_unknown" SERVICE_UNAVAILABLE "The outcome is unknown"
        "The write may or may not have been kept: ask again, or repeat it with the same `client_id`.";
    TimedOut "timed_out" SERVICE_UNAVAILABLE "The server took too long"
        "There was no answer in time; a write may or may not have been kept.";
    NotReady "not_ready" SERVICE_UNAVAILABLE "The server is not ready"
        "The server is about to stop, or cannot write now: ask again in a few seconds.";
    StorageFull "storage_full" INSUFFICIENT_STORAGE "The disk is full"
        "Nothing was written; reading goes on.";
}

impl Code {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// Whether the rest of the request cannot be relied upon, so that the connection has to end.
    pub const fn closes_connection(self) -> bool {
        matches!(self, Self::RequestTimeout | Self::BodyTooLarge)
    }
}
