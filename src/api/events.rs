//! Tag Events: live streams. A stream comes ready from the chat; here it only becomes part of an answer, from which the front
//! takes it to give it the connection's socket.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use poem::http::{HeaderValue, header};
use poem::web::Data;
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::param::{Path, Query};
use poem_openapi::registry::{
    MetaMediaType, MetaParamIn, MetaResponse, MetaResponses, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi};

use super::auth::Caller;
use super::fail::{Outcome, refusals};
use super::paging::room_ref;
use super::wire::event::StreamEvent;
use super::{ClientAddress, State, Tag};
use crate::chat::{EventStream, HistoryStart, StreamStart};

/// The media type of streams.
pub const EVENT_STREAM: &str = "text/event-stream";

#[derive(Default)]
pub struct EventsApi;

/// An open stream as an answer; `E` is what the data of one frame looks like. Without a stream for a HEAD.
pub struct Frames<E>(Option<EventStream>, PhantomData<fn() -> E>);

/// The stream of an answer: the front takes it and gives it the connection's socket. The answer's own body is empty.
#[derive(Clone)]
pub struct Offered(Arc<Mutex<Option<EventStream>>>);

/// The `Last-Event-ID` header. What is not UTF-8 is kept as a cursor that cannot be good: the client meant to resume, and
/// must be told that it did not.
pub struct LastEventId(Option<String>);

/// Whether only the head of the answer is wanted, so that no stream is opened.
pub struct OnlyHead(pub bool);

/// Put into the data of a request that came as a HEAD, which routing turns into a GET.
#[derive(Clone, Copy, Debug)]
pub struct CameAsHead;

refusals! {
    StreamRoomEvents: RoomNotFound, NotAMember;
    StreamEvents: ;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Events")]
impl EventsApi {
    /// Follow one room
    ///
    /// Server-Sent Events: every event of the room after the cursor, in order, without gap or repeat. The first frame with
    /// data is `hello`, or `reset` when the cursor cannot be honoured (fetch snapshots again; the stream goes on from its
    /// `cursor`). The last one is `bye`, unless the connection breaks. Start after `after` or `Last-Event-ID`, the later of
    /// both; with neither, from now.
    #[oai(path = "/rooms/:room/events", method = "get", operation_id = "streamRoomEvents")]
    #[allow(clippy::too_many_arguments, reason = "each is a documented part of the request")]
    async fn stream_room_events(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        Data(address): Data<&ClientAddress>,
        only_head: OnlyHead,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// The cursor after which to start.
        after: Query<Option<String>>,
        /// The cursor of the last event that was seen; browsers send it when they reconnect.
        #[oai(name = "Last-Event-ID")]
        last_event_id: LastEventId,
        /// If more events than this would have to be replayed, `reset` comes instead.
        #[oai(validator(minimum(value = "0")))]
        max_replay: Query<Option<i32>>,
        /// The same as `Last-Event-ID`, for readers that cannot send headers; beside the header it is ignored.
        #[oai(name = "lastEventId")]
        last_event_id_in_query: Query<Option<String>>,
    ) -> Outcome<Frames<StreamEvent>, StreamRoomEvents> {
        let (chat, room) = (state.chat(), room_ref(&room)?);
        if only_head.0 {
            chat.history(caller.0, &room, HistoryStart::Newest, 1).await?;
            return Ok(Frames::none());
        }
        let start = start(after.0, last_event_id.0.or(last_event_id_in_query.0), max_replay.0);
        Ok(Frames::of(chat.open_room_stream(caller.0, &room, start, address.0).await?))
    }

    /// Follow all my rooms
    ///
    /// Like the stream of one room, for all rooms of the caller in one global order, following joins and leaves while it
    /// is open. Take the snapshot with `listMyRooms` and start after its `cursor`.
    #[oai(path = "/events", method = "get", operation_id = "streamEvents")]
    #[allow(clippy::too_many_arguments, reason = "each is a documented part of the request")]
    async fn stream_events(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        Data(address): Data<&ClientAddress>,
        only_head: OnlyHead,
        /// The cursor after which to start.
        after: Query<Option<String>>,
        /// The cursor of the last event that was seen; browsers send it when they reconnect.
        #[oai(name = "Last-Event-ID")]
        last_event_id: LastEventId,
        /// If more events than this would have to be replayed, `reset` comes instead. A number above 10,000 counts as
        /// 10,000.
        #[oai(validator(minimum(value = "0")))]
        max_replay: Query<Option<i32>>,
        /// The same as `Last-Event-ID`, for readers that cannot send headers; beside the header it is ignored.
        #[oai(name = "lastEventId")]
        last_event_id_in_query: Query<Option<String>>,
    ) -> Outcome<Frames<StreamEvent>, StreamEvents> {
        if only_head.0 {
            // Counts as a read, like a HEAD of anything else.
            state.chat().me(caller.0).await?;
            return Ok(Frames::none());
        }
        let start = start(after.0, last_event_id.0.or(last_event_id_in_query.0), max_replay.0);
        Ok(Frames::of(state.chat().open_user_stream(caller.0, start, address.0).await?))
    }
}

fn start(after: Option<String>, last_event_id: Option<String>, max_replay: Option<i32>) -> StreamStart {
    let max_replay = max_replay.and_then(|most| u32::try_from(most).ok());
    StreamStart { after, last_event_id, max_replay }
}

impl<E> Frames<E> {
    fn of(stream: EventStream) -> Self {
        Self(Some(stream), PhantomData)
    }

    fn none() -> Self {
        Self(None, PhantomData)
    }
}

impl<E: Send> IntoResponse for Frames<E> {
    fn into_response(self) -> Response {
        let offered = self.0.map(|stream| Offered(Arc::new(Mutex::new(Some(stream)))));
        let mut response = Response::builder().content_type(EVENT_STREAM).finish();
        if let Some(offered) = offered {
            response.set_data(offered);
        }
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
        // Without it nginx holds frames back until a buffer is full.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl Offered {
    /// The stream, once.
    pub fn take(&self) -> Option<EventStream> {
        // Held for a take, never over an await.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<E: Type> ApiResponse for Frames<E> {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: EVENT_STREAM, schema: E::schema_ref() }];
        let description = "The stream is open. The schema is that of the `data` of one frame, and the example is a stream of two frames.";
        let open =
            MetaResponse { description, status: Some(200), status_range: None, content, headers: vec![] };
        MetaResponses { responses: vec![open] }
    }

    fn register(registry: &mut Registry) {
        E::register(registry);
    }
}

impl<'a> FromRequest<'a> for OnlyHead {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self(request.data::<CameAsHead>().is_some()))
    }
}

impl<'a> ApiExtractor<'a> for LastEventId {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(String::schema_ref())
    }

    fn param_raw_type(&self) -> Option<&String> {
        self.0.as_ref()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> Result<Self> {
        let value = request.headers().get(options.name);
        Ok(Self(value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())))
    }
}
