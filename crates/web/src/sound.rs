//! Sounds as they are sent: whole, or the part that a player asks for to jump to a place.

use std::ops::RangeInclusive;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::{EndPosition, StartPosition, parse_range_header};

use crate::Problem;

/// A sound that can be sent.
pub(crate) struct Sound {
    /// How many bytes it has.
    pub bytes: u64,
    /// What changes whenever a byte of it does.
    pub tag: String,
}

/// What is to be sent of a sound.
enum Wanted {
    /// How large it is, and nothing of it.
    Size,
    /// All of it.
    Whole,
    /// These bytes.
    Part(RangeInclusive<u64>),
    /// Bytes that it does not have.
    Outside,
}

impl Sound {
    /// What a request asks for. Several parts at once, other units than bytes and what cannot be read are passed over, as
    /// RFC 9110 (14.2) has it: the whole is sent then. So it is when the part was to be of another version (`If-Range`).
    fn wanted(&self, method: &Method, headers: &HeaderMap) -> Wanted {
        if method == Method::HEAD {
            return Wanted::Size;
        }
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if text(header::IF_RANGE).is_some_and(|tag| tag != self.quoted_tag()) {
            return Wanted::Whole;
        }
        let ranges = text(header::RANGE).and_then(|range| parse_range_header(range).ok());
        let [range] = ranges.as_ref().map_or(&[][..], |parsed| parsed.ranges.as_slice()) else {
            return Wanted::Whole;
        };
        let last = self.bytes.saturating_sub(1);
        let part = match (range.start, range.end) {
            (StartPosition::Index(from), EndPosition::Index(to)) if from > to => return Wanted::Whole,
            (StartPosition::Index(from), EndPosition::Index(to)) => from..=to.min(last),
            (StartPosition::Index(from), EndPosition::LastByte) => from..=last,
            (StartPosition::FromLast(count), _) => self.bytes.saturating_sub(count)..=last,
        };
        if *part.start() < self.bytes { Wanted::Part(part) } else { Wanted::Outside }
    }

    fn outside(&self) -> Response {
        let detail = format!("the sound has {} bytes: ask for some of these", self.bytes);
        let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail);
        let mut response = problem.into_response();
        put(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{}", self.bytes));
        response
    }

    fn quoted_tag(&self) -> String {
        format!("\"{}\"", self.tag)
    }

    /// The answer to a request for it. `body` gives the bytes, all of them or those of a part; it is not asked where only
    /// the size is.
    ///
    /// # Errors
    /// Those of `body`.
    pub async fn answer(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: impl AsyncFnOnce(Option<RangeInclusive<u64>>) -> Result<Body, Problem>,
    ) -> Result<Response, Problem> {
        let part = match self.wanted(method, headers) {
            Wanted::Size => return Ok((self.head(None), Body::empty()).into_response()),
            Wanted::Outside => return Ok(self.outside()),
            Wanted::Whole => None,
            Wanted::Part(part) => Some(part),
        };
        let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        Ok((status, self.head(part.as_ref()), body(part).await?).into_response())
    }

    /// The headers with which it, or a part of it, is sent.
    fn head(&self, part: Option<&RangeInclusive<u64>>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        put(&mut headers, header::ETAG, &self.quoted_tag());
        let mut bytes = self.bytes;
        if let Some(part) = part {
            put(
                &mut headers,
                header::CONTENT_RANGE,
                &format!("bytes {}-{}/{}", part.start(), part.end(), self.bytes),
            );
            bytes = part.end() - part.start() + 1;
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        headers
    }
}

/// Puts a header whose value is of visible ASCII characters.
fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: u64, range: &str, if_range: Option<&str>) -> Result<Option<(u64, u64)>, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, tag.parse().unwrap());
        }
        let sound = Sound { bytes, tag: "v".to_owned() };
        match sound.wanted(&Method::GET, &headers) {
            Wanted::Part(part) => Ok(Some((*part.start(), *part.end()))),
            Wanted::Outside => Err(sound.outside().status().as_u16()),
            Wanted::Size | Wanted::Whole => Ok(None),
        }
    }

    #[test]
    fn a_part_is_what_is_there_of_what_was_asked_for() {
        for (range, given) in [
            ("bytes=0-9", (0, 9)),
            ("bytes=90-", (90, 99)),
            ("bytes=90-1000", (90, 99)),
            ("bytes=-10", (90, 99)),
            ("bytes=-1000", (0, 99)),
            ("bytes=99-99", (99, 99)),
        ] {
            assert_eq!(part(100, range, None), Ok(Some(given)), "{range}");
        }
        assert_eq!(part(100, "bytes=100-", None), Err(416));
        assert_eq!(part(0, "bytes=-5", None), Err(416));
    }

    #[test]
    fn what_is_no_single_part_of_this_version_is_answered_with_the_whole() {
        for range in ["bytes=0-1,5-6", "lines=0-1", "bytes=9-2", "bytes=", "0-1"] {
            assert_eq!(part(100, range, None), Ok(None), "{range}");
        }
        assert_eq!(part(100, "bytes=0-1", Some("\"v\"")), Ok(Some((0, 1))));
        assert_eq!(part(100, "bytes=0-1", Some("\"w\"")), Ok(None));
    }
}
