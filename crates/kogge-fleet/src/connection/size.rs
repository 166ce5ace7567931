//! How much a worker's API server may answer: what it sends is held in memory until it is whole, and no worker may take
//! the memory from the others.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower::BoxError;

/// The most bytes of an answer: a page of a list is 500 objects.
const ANSWER: usize = 64 << 20;
/// The most bytes of one line of a stream: an event of a watch is one object, which the API server's own store holds to
/// 1.5 MiB.
const LINE: usize = 8 << 20;

/// An answer that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is larger than {} MiB, and Kogge reads no more than that", limit >> 20)]
pub(crate) struct TooLarge {
    /// What is.
    what: &'static str,
    /// The most bytes that it may have.
    limit: usize,
}

/// The whole body, if it is not too large.
pub(super) async fn whole<B>(body: B) -> Result<Bytes, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    whole_within(body, ANSWER).await
}

async fn whole_within<B>(body: B, limit: usize) -> Result<Bytes, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(TooLarge { what: "its answer", limit }.into()),
        Err(error) => Err(error),
    }
}

/// A body that ends with an error where it is too large.
pub(super) fn limited(body: UnsyncBoxBody<Bytes, BoxError>) -> UnsyncBoxBody<Bytes, BoxError> {
    Limited::new(body, ANSWER).boxed_unsync()
}

/// A body of lines, which ends with an error where a line is too long.
pub(super) struct Lines {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// Bytes since the last line break.
    open: usize,
    limit: usize,
}

impl Lines {
    /// The lines of a watch.
    pub(super) fn of(body: UnsyncBoxBody<Bytes, BoxError>) -> Self {
        Self { body, open: 0, limit: LINE }
    }

    /// Whether the lines that these bytes are part of are short enough.
    fn fits(&mut self, bytes: &[u8]) -> bool {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let mut open = self.open + lines.next().map_or(0, <[u8]>::len);
        let mut longest = open;
        for line in lines {
            open = line.len();
            longest = longest.max(open);
        }
        self.open = open;
        longest <= self.limit
    }
}

impl Body for Lines {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        let fits = frame.data_ref().is_none_or(|bytes| {
            let bytes = bytes.clone();
            self.fits(&bytes)
        });
        let limit = self.limit;
        Poll::Ready(Some(if fits {
            Ok(frame)
        } else {
            Err(TooLarge { what: "a line of its watch", limit }.into())
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn body(chunks: &[&str]) -> UnsyncBoxBody<Bytes, BoxError> {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::copy_from_slice(chunk.as_bytes()))))
            .collect();
        StreamBody::new(stream::iter(chunks)).boxed_unsync()
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_an_error() {
        assert_eq!(whole_within(Full::new(Bytes::from("12345678")), 8).await.unwrap(), "12345678");
        let error = whole_within(body(&["1234", "56789"]), 8).await.unwrap_err();
        assert!(error.is::<TooLarge>(), "{error}");
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_ends_the_watch_and_short_ones_go_on_for_ever() {
        let read = async |chunks: &[&str]| {
            let lines = Lines { body: body(chunks), open: 0, limit: 8 };
            lines.collect().await.map(|whole| whole.to_bytes().len())
        };
        assert_eq!(read(&["1234\n5678\n1234", "5678\n", "12345678"]).await.unwrap(), 27);
        for chunks in [&["123456789"][..], &["12345", "6789\n"], &["1\n123", "4567", "89"]] {
            let error = read(chunks).await.unwrap_err();
            assert!(error.is::<TooLarge>(), "{chunks:?}: {error}");
        }
    }
}
