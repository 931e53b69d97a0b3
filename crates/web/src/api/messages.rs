//! Messages to called parties, and their sounds.

use std::ops::RangeInclusive;

use app::messages::{MessageView, SOUND_BYTES_MAX};
use app::model::MessageBody;
use app::paging::Listing;
use axum::body::{Body as RawBody, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;

use crate::auth::Caller;
use crate::endpoint::{Api, delete, get, post, put};
use crate::extract::{Body, Id, IfMatch, Items, Page, Replacement, versioned};
use crate::sound::Sound;
use crate::{Context, Problem};

const TAG: &str = "Messages";

pub(super) fn routes(mut api: Api) -> Api {
    let (all, each, sound) = ("/v1/messages", "/v1/messages/{id}", "/v1/messages/{id}/sound");
    let create_one = post(all, "create_message", TAG, "Create a message that called parties hear");
    let create_one = create_one.takes::<MessageBody>(&mut api).gives::<MessageView>(&mut api);
    let list_all = get(all, "list_messages", TAG, "List: messages").paged();
    let list_all = list_all.gives::<Listing<MessageView>>(&mut api);
    let get_one = get(each, "get_message", TAG, "Read a message, and what it sounds like");
    let get_one = get_one.gives::<MessageView>(&mut api);
    let update_one = put(each, "update_message", TAG, "Change a message; an uploaded sound stays").if_match();
    let update_one = update_one.takes::<MessageBody>(&mut api).gives::<MessageView>(&mut api);
    let delete_one = delete(each, "delete_message", TAG, "Delete a message that nothing needs").if_match();
    let put_one =
        put(sound, "put_message_sound", TAG, "Upload a message's sound, sent as the body").if_match();
    let put_one = put_one
        .takes_raw(
            "audio/wav",
            "WAV: PCM, 16 bit, one channel, 8000 or 16000 samples a second, at most 10 MiB",
        )
        .with_body_limit(SOUND_BYTES_MAX)
        .gives::<MessageView>(&mut api);
    let get_sound = get(sound, "get_message_sound", TAG, "A message's sound, uploaded or spoken");
    let get_sound = get_sound.gives_sound();
    let delete_sound = delete(
        sound,
        "delete_message_sound",
        TAG,
        "Take an uploaded sound away: the text is spoken again where a program can",
    );
    let delete_sound = delete_sound.if_match().with_status(200).gives::<MessageView>(&mut api);
    api.route(create_one, create)
        .route(list_all, list)
        .route(get_one, read)
        .route(update_one, update)
        .route(delete_one, remove)
        .route(put_one, put_sound)
        .route(get_sound, read_sound)
        .route(delete_sound, remove_sound)
}

async fn create(
    State(context): State<Context>,
    Caller(who): Caller,
    uri: Uri,
    Body(body): Body<MessageBody>,
) -> Result<Response, Problem> {
    let made = context.app.create_message(&who, body).await?;
    let location = format!("{}/{}", uri.path(), made.stored.id);
    Ok(versioned(StatusCode::CREATED, made.stored.version, Some(location), &made))
}

async fn list(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
) -> Result<Items<MessageView>, Problem> {
    Ok(Items(context.app.messages(&who, &page).await?))
}

async fn read(State(context): State<Context>, Caller(who): Caller, Id(id): Id) -> Result<Response, Problem> {
    let found = context.app.message(&who, id).await?;
    Ok(versioned(StatusCode::OK, found.stored.version, None, &found))
}

async fn update(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    Replacement(body): Replacement<MessageBody>,
) -> Result<Response, Problem> {
    let changed = context.app.update_message(&who, id, version, body).await?;
    Ok(versioned(StatusCode::OK, changed.stored.version, None, &changed))
}

async fn remove(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Problem> {
    context.app.delete::<MessageBody>(&who, id, version).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn put_sound(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wav = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a sound has at most {SOUND_BYTES_MAX} bytes, 10 MiB: shorten it"),
        ),
        _ => Problem::new(StatusCode::BAD_REQUEST, "upload_broken", "the upload broke off: send it again"),
    })?;
    let changed = context.app.put_message_sound(&who, id, version, wav.to_vec()).await?;
    Ok(versioned(StatusCode::OK, changed.stored.version, None, &changed))
}

async fn read_sound(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (version, wav) = context.app.message_sound(&who, id).await?;
    let sound = Sound { bytes: wav.len() as u64, tag: version.to_string() };
    let bytes = async |part: Option<RangeInclusive<u64>>| {
        let wav = Bytes::from(wav);
        // A part lies within the sound, which is in memory.
        Ok(RawBody::from(
            part.map_or(wav.clone(), |part| wav.slice(*part.start() as usize..=*part.end() as usize)),
        ))
    };
    sound.answer(&method, &headers, bytes).await
}

async fn remove_sound(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
) -> Result<Response, Problem> {
    let changed = context.app.delete_message_sound(&who, id, version).await?;
    Ok(versioned(StatusCode::OK, changed.stored.version, None, &changed))
}
