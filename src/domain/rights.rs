//! Who may do what in a room: one table, which everything that is done in a room for a person is asked of. Knows roles and
//! visibilities, not rooms or people.

use super::membership::Role;
use super::mentions::MOST_FOR_ALL;
use super::refusal::Refusal;
use super::room::Visibility;

/// What somebody has to be to do something in a room. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Least {
    /// Somebody who finds the room: anybody finds a public one, only its members find a private one.
    Finder,
    Member,
    /// A moderator or an owner. Nobody is a moderator yet.
    Moderator,
    Owner,
}

/// Makes the enum, the list of its variants and the table from one list of rows.
macro_rules! permissions {
    ($($(#[doc = $doc:literal])* $name:ident: $least:ident;)+) => {
        /// Something that somebody may do in a room, or may not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Permission {
            $($(#[doc = $doc])* $name,)+
        }

        impl Permission {
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            const fn least(self) -> Least {
                match self {
                    $(Self::$name => Least::$least,)+
                }
            }
        }
    };
}

permissions! {
    /// See the room itself: its name, title, topic, and how many members it has.
    See: Finder;
    /// Become a member by oneself.
    Join: Finder;
    /// Stop being a member. It changes nothing for somebody who is not in the public room.
    Leave: Finder;
    /// See who is in the room.
    ListMembers: Member;
    /// Read messages, old and new.
    ReadMessages: Member;
    /// Follow the room's events while they happen.
    Stream: Member;
    Post: Member;
    /// Move one's own read mark.
    MarkRead: Member;
    /// Change what a message of one's own says.
    EditMessages: Member;
    /// React to messages, and take one's own reactions back.
    React: Member;
    /// Pin messages, and take pins away.
    Pin: Moderator;
    /// Delete messages of others. Everybody may delete their own.
    DeleteMessages: Moderator;
    /// Add people, and give members another role.
    PutMembers: Owner;
    /// Change name, title, topic or visibility.
    ChangeRoom: Owner;
    DeleteRoom: Owner;
}

/// Whether a member with this role may mention everybody in a room of so many members.
pub const fn may_mention_all(role: Option<Role>, members: i64) -> bool {
    match role {
        Some(Role::Owner) => true,
        Some(Role::Member) => members <= MOST_FOR_ALL,
        None => false,
    }
}

/// Refuses a person who may not do it: one with this role, or with none, in a room of this visibility. A private room does not
/// exist for people who are not in it.
pub const fn may(role: Option<Role>, visibility: Visibility, permission: Permission) -> Result<(), Refusal> {
    match (permission.least(), role, visibility) {
        (_, Some(Role::Owner), _)
        | (Least::Finder | Least::Member, Some(Role::Member), _)
        | (Least::Finder, None, Visibility::Public) => Ok(()),
        (Least::Moderator, Some(Role::Member), _) => Err(Refusal::RoleTooLow),
        (Least::Owner, Some(Role::Member), _) => Err(Refusal::NotAnOwner),
        (Least::Member | Least::Moderator | Least::Owner, None, Visibility::Public) => {
            Err(Refusal::NotAMember)
        }
        (_, None, Visibility::Private) => Err(Refusal::RoomNotFound),
    }
}
