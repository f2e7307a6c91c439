// Owns the names of the server's shapes for the rest of the client, taken from the generated client by operation.
// Must not add fields of its own: what is not in the published document is not on the wire.
import type {
  GetMeResponses,
  GetRoomResponses,
  GetServerResponses,
  ListMembersResponses,
  ListMessagesResponses,
  ListMyRoomsResponses,
  ListRoomsResponses,
  ListSessionsResponses,
  LoginResponses,
} from './generated';

export type Server = GetServerResponses[200];
export type User = GetMeResponses[200];
export type Room = GetRoomResponses[200];
export type RoomPage = ListRoomsResponses[200];
export type MyRooms = ListMyRoomsResponses[200];
export type MemberPage = ListMembersResponses[200];
export type Member = MemberPage['items'][number];
export type UserRef = Member['user'];
export type MessagePage = ListMessagesResponses[200];
export type Message = MessagePage['items'][number];
export type Session = ListSessionsResponses[200]['items'][number];
export type SignIn = LoginResponses[200];

/** Who may find a room. Requests accept exactly these two. */
export type Visibility = 'public' | 'private';

/** The roles of a member. Requests accept exactly these two. */
export type Role = 'owner' | 'member';

/** One event of the log, as `onmessage` gets it. Unknown types and fields are ignored. */
export interface LogEvent {
  type: string;
  cursor?: string;
  seq?: number;
  room?: string;
  at?: string;
  actor?: UserRef;
  message?: Message;
  member?: Member;
  room_state?: Room;
}
