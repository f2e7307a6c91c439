//! The reasons for which a rule of the chat refuses a request. Each becomes one problem code on the wire.

use thiserror::Error;

/// Why a request was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Also when the room is private and the caller is not in it.
    #[error("no such room")]
    RoomNotFound,
    #[error("no such message")]
    MessageNotFound,
    #[error("no such user")]
    UserNotFound,
    #[error("no such session")]
    SessionNotFound,
    /// Only for public rooms: a private one is not found.
    #[error("only members of the room may do this")]
    NotAMember,
    #[error("only owners of the room may do this")]
    NotAnOwner,
    #[error("only the author of a message may change it")]
    NotTheAuthor,
    /// Moderators and owners may do more than other members.
    #[error("the role in the room is too low for this")]
    RoleTooLow,
    #[error("the message is deleted")]
    MessageDeleted,
    #[error("is no message of this room that can be answered")]
    ReplyNotFound,
    #[error("must be one emoji")]
    NotAnEmoji,
    #[error("a message can have 20 different reactions at most")]
    TooManyKinds,
    #[error("a room can have 50 pinned messages at most")]
    TooManyPins,
    #[error("the username is taken")]
    UsernameTaken,
    #[error("a public room has this name")]
    RoomNameTaken,
    #[error("the last owner of a room can neither leave it nor give up the role")]
    LastOwner,
    #[error("the client_id was used for other content")]
    ClientIdReused,
    #[error("a person can be in at most 1,000 rooms")]
    TooManyRooms,
    #[error("registration is closed")]
    RegistrationClosed,
    #[error("the password is too common or too close to the username")]
    PasswordTooCommon,
    #[error("username and password do not match")]
    WrongCredentials,
    #[error("the current password is wrong")]
    WrongPassword,
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// The cursor is malformed, forged, or of another database.
    #[error("the cursor is not one of this server's")]
    BadCursor,
    /// The token of a directory or member page is malformed.
    #[error("the page token is not one of this server's")]
    BadPage,
}
