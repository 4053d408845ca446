//! What handlers take from a request: JSON, queries and path segments, each with our problems instead of the library's
//! plain text.
//!
//! A deserialiser's message quotes what it read, and what it read may be a private key that somebody pasted into the wrong
//! field. So only messages about field *names* are passed on.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyroster_api::ProblemKind;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::ApiError;

/// A JSON body, and a JSON answer.
pub struct Json<T>(pub T);

/// A JSON body, or its default when there is no body at all.
pub struct JsonOrDefault<T>(pub T);

/// The query of the URL.
pub struct Params<T>(pub T);

/// The one path segment of a route, parsed.
pub struct Segment<T>(pub T);

/// The two path segments of a route, parsed.
pub struct Segments<A, B>(pub A, pub B);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            let detail = "the body must be of type \"application/json\"";
            return Err(ApiError::refused(ProblemKind::UnsupportedMediaType, detail));
        }
        let bytes = read_body(request, app).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for JsonOrDefault<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return match read_body(request, app).await?.is_empty() {
                true => Ok(Self(T::default())),
                false => Err(ApiError::refused(
                    ProblemKind::UnsupportedMediaType,
                    "the body has no type",
                )),
            };
        }
        Json::from_request(request, app)
            .await
            .map(|Json(body)| Self(body))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => (StatusCode::OK, JSON_HEADERS, body).into_response(),
            Err(_) => ApiError::Bug("an answer has no JSON form").into_response(),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, app).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let detail = about_fields(&rejection.body_text())
                    .unwrap_or("the query can't be read")
                    .to_owned();
                Err(ApiError::refused(ProblemKind::InvalidValue, detail))
            }
        }
    }
}

impl<T> FromRequestParts<App> for Segment<T>
where
    T: FromStr<Err: Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Path(text): Path<String> = path(parts, app).await?;
        Ok(Self(segment(&text)?))
    }
}

impl<A, B> FromRequestParts<App> for Segments<A, B>
where
    A: FromStr<Err: Display>,
    B: FromStr<Err: Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Path((a, b)): Path<(String, String)> = path(parts, app).await?;
        Ok(Self(segment(&a)?, segment(&b)?))
    }
}

async fn path<T: DeserializeOwned + Send>(
    parts: &mut Parts,
    app: &App,
) -> Result<Path<T>, ApiError> {
    let path = Path::from_request_parts(parts, app).await;
    path.map_err(|_| ApiError::refused(ProblemKind::InvalidValue, "the path is not UTF-8"))
}

fn segment<T: FromStr<Err: Display>>(text: &str) -> Result<T, ApiError> {
    text.parse()
        .map_err(|error| ApiError::refused(ProblemKind::InvalidValue, format!("path: {error}")))
}

/// The whole body, within its cap and its deadline.
async fn read_body(request: Request, app: &App) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(app.limits.body_read, Bytes::from_request(request, app)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(ApiError::refused(
                ProblemKind::TooLarge,
                "the body is larger than this path takes",
            ))
        }
        Ok(Err(_)) => Err(ApiError::refused(
            ProblemKind::MalformedBody,
            "the body ended before its announced length",
        )),
        Err(_) => Err(ApiError::refused(
            ProblemKind::RequestTimeout,
            "the body did not arrive in time",
        )),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads an object. The deserialiser would take an array for one too, its items in the order of our fields.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Err(ApiError::refused(
            ProblemKind::MalformedBody,
            "the body is not a JSON object",
        )),
        _ => serde_json::from_slice(bytes).map_err(|error| malformed(&error)),
    }
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let what = about_fields(&text).unwrap_or(match error.classify() {
        serde_json::error::Category::Data => "a field has a value of another type than it takes",
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            "the body is not JSON"
        }
    });
    let place = format!("{what} (line {}, column {})", error.line(), error.column());
    ApiError::refused(ProblemKind::MalformedBody, place)
}

/// The part of a deserialiser's message that names fields, which are ours, and a wrong name, which is short.
fn about_fields(message: &str) -> Option<&str> {
    let start = ["unknown field", "missing field", "duplicate field"]
        .iter()
        .find_map(|start| message.find(start))?;
    let text = message.get(start..)?;
    let end = text.find(" at line ").unwrap_or(text.len());
    text.get(..end)
        .filter(|text| text.len() <= MAX_FIELD_MESSAGE)
}

/// Bytes of a message about fields; a longer one holds a "name" that is none.
const MAX_FIELD_MESSAGE: usize = 400;

/// Answers may hold what nobody else should see, so no cache on the way keeps them.
const JSON_HEADERS: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "application/json"),
    (header::CACHE_CONTROL, "no-store"),
];

#[cfg(test)]
mod tests {
    use keyroster_api::key::AddKey;

    use super::*;

    fn detail(json: &str) -> String {
        match parse::<AddKey>(json.as_bytes()) {
            Ok(body) => panic!("{json} was taken for {body:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_wrong_field_is_named() {
        assert!(detail(r#"{"public_key":"x","expires":1}"#).starts_with("unknown field `expires`"));
        assert!(detail("{}").starts_with("missing field `public_key`"));
        assert!(detail(r#"{"public_key":"a","public_key":"b"}"#).starts_with("duplicate field"));
    }

    #[test]
    fn a_value_is_never_repeated() {
        for json in [
            r#"{"public_key":"x","expires_at":"SECRET"}"#,
            r#"{"public_key":["SECRET"]}"#,
            r#"{"public_key": SECRET}"#,
            r#"["SECRET"]"#,
            r#""SECRET"#,
        ] {
            assert!(!detail(json).contains("SECRET"), "{}", detail(json));
        }
        let long = format!(r#"{{"{}":1}}"#, "SECRET".repeat(100));
        assert!(!detail(&long).contains("SECRET"));
    }
}
