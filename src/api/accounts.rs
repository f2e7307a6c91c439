//! Tag Accounts: registering, and one's own account.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::auth::Caller;
use super::fail::{Outcome, refusals};
use super::payload::Body;
use super::problem::Problem;
use super::reply::{Created, Done, Reply};
use super::wire::room::MyRooms;
use super::wire::user::{PasswordChange, ProfilePatch, Registration, User};
use super::{ClientAddress, State, Tag};
use crate::domain::names::Username;
use crate::domain::refusal::Refusal;

#[derive(Default)]
pub struct AccountsApi;

refusals! {
    RegisterUser: RegistrationClosed, UsernameTaken, TextNotAllowed, PasswordTooCommon;
    GetMe: ;
    UpdateMe: TextNotAllowed;
    ChangePassword: WrongPassword, PasswordTooCommon;
    ListMyRooms: ;
    GetUser: UserNotFound;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Accounts")]
impl AccountsApi {
    /// Make an account
    ///
    /// Where registration is open. Signing in is a second call.
    #[oai(path = "/users", method = "post", operation_id = "registerUser")]
    async fn register_user(
        &self,
        Data(state): Data<&State>,
        Data(address): Data<&ClientAddress>,
        body: Body<Registration>,
    ) -> Outcome<Created<User>, RegisterUser> {
        let (username, password, display_name) = body.0.parse(state.chat().min_password())?;
        let made = state.chat().register_user(address.0, username, password, display_name).await;
        Ok(Created(made.map_err(|error| Problem::from(error).of_password("/password"))?.into()))
    }

    /// Tell who I am
    ///
    /// The account of the caller.
    #[oai(path = "/users/me", method = "get", operation_id = "getMe")]
    async fn get_me(&self, caller: Caller, Data(state): Data<&State>) -> Outcome<Reply<User>, GetMe> {
        Ok(Reply(state.chat().me(caller.0).await?.into()))
    }

    /// Change my profile
    ///
    /// What is absent stays as it is. A new display name is told to all rooms of the caller (`member.updated`).
    #[oai(path = "/users/me", method = "patch", operation_id = "updateMe")]
    async fn update_me(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        body: Body<ProfilePatch>,
    ) -> Outcome<Reply<User>, UpdateMe> {
        Ok(Reply(state.chat().update_me(caller.0, body.0.parse()?).await?.into()))
    }

    /// Change my password
    ///
    /// Ends all other sessions of the caller.
    #[oai(path = "/users/me/password", method = "put", operation_id = "changePassword")]
    async fn change_password(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        body: Body<PasswordChange>,
    ) -> Outcome<Done, ChangePassword> {
        let (current, new) = body.0.parse(state.chat().min_password())?;
        let changed = state.chat().change_password(caller.0, current, new).await;
        changed.map_err(|error| Problem::from(error).of_password("/new_password"))?;
        Ok(Done)
    }

    /// List my rooms
    ///
    /// All of them, with a cursor: the snapshot from which `streamEvents` goes on.
    #[oai(path = "/users/me/rooms", method = "get", operation_id = "listMyRooms")]
    async fn list_my_rooms(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
    ) -> Outcome<Reply<MyRooms>, ListMyRooms> {
        let rooms = state.chat().my_rooms(caller.0).await?;
        Ok(Reply(MyRooms::new(rooms, state.chat().cursors())))
    }

    /// Tell who somebody is
    ///
    /// By username. Anyone signed in may ask.
    #[oai(path = "/users/:username", method = "get", operation_id = "getUser")]
    async fn get_user(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// The name to sign in with.
        username: Path<String>,
    ) -> Outcome<Reply<User>, GetUser> {
        let username = Username::lookup(&username).map_err(|_| Problem::from(Refusal::UserNotFound))?;
        Ok(Reply(state.chat().user(caller.0, &username).await?.into()))
    }
}
