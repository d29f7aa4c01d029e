//! A client for `request` steps: plain HTTP/1.1 to a port of this host, one connection a request.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::linux::request::{LONGEST_ANSWER, address, head_and_body, parse, what_failed};
use crate::world::{HttpRequest, RequestError, Response};

pub(super) async fn fetch(request: HttpRequest) -> Result<Response, RequestError> {
    let asked = timeout(request.within, async {
        let address = address(&request).ok_or(RequestError::Refused)?;
        let mut stream = TcpStream::connect(address).await.map_err(|error| what_failed(&error))?;
        stream.write_all(&head_and_body(&request)).await.map_err(|error| what_failed(&error))?;
        let mut received = Vec::new();
        let limit = LONGEST_ANSWER as u64;
        (&mut stream).take(limit).read_to_end(&mut received).await.map_err(|error| what_failed(&error))?;
        parse(&received).ok_or(RequestError::Reset)
    });
    asked.await.unwrap_or(Err(RequestError::TimedOut))
}
