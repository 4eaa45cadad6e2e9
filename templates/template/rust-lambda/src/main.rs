//! Serves the function's `handle` to the watchdog in front of it, and the events
//! of Lambda's triggers to its `handle_event` where there is one.

mod wire;

use http::{Request, Response};
use std::fmt::Display;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The forms that a handler may have; `Form` only tells them apart.
trait Handler<Form> {
    fn answer(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>>;
}

struct OfRequest;
impl<F: Fn(Request<Vec<u8>>) -> Response<Vec<u8>>> Handler<OfRequest> for F {
    fn answer(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self(request)
    }
}

struct OfBody;
impl<E: Display, F: Fn(Vec<u8>) -> Result<Vec<u8>, E>> Handler<OfBody> for F {
    fn answer(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        result(self(request.into_body()))
    }
}

/// A failure is status 500, which makes the invocation of a trigger a failed one.
fn result<E: Display>(result: Result<Vec<u8>, E>) -> Response<Vec<u8>> {
    result.map(Response::new).unwrap_or_else(|err| {
        eprintln!("{err}");
        let mut failed = Response::new(err.to_string().into_bytes());
        *failed.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

#[cfg(feature = "events")]
fn handle_event(payload: Vec<u8>) -> Option<Response<Vec<u8>>> {
    fn call<E, R, X>(f: impl Fn(E) -> Result<R, X>, payload: &[u8]) -> Result<Vec<u8>, String>
    where
        E: serde::de::DeserializeOwned,
        R: serde::Serialize,
        X: Display,
    {
        let event = serde_json::from_slice(payload).map_err(|e| format!("read event: {e}"))?;
        serde_json::to_vec(&f(event).map_err(|e| e.to_string())?).map_err(|e| e.to_string())
    }
    Some(result(call(handler::handle_event, &payload)))
}

#[cfg(not(feature = "events"))]
fn handle_event(_: Vec<u8>) -> Option<Response<Vec<u8>>> {
    None
}

/// Tells the events of triggers from requests. Elsewhere than on Lambda there are
/// none, whatever a client's headers say.
fn dispatch(request: Request<Vec<u8>>, on_lambda: bool) -> Response<Vec<u8>> {
    if cfg!(feature = "events") && on_lambda && request.headers().contains_key("x-lambda-event-source") {
        if let Some(response) = handle_event(request.body().clone()) {
            return response;
        }
    }
    Handler::answer(&handler::handle, request)
}

fn serve(stream: TcpStream, on_lambda: bool) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = wire::read(&mut reader)? {
        let head = request.method() == http::Method::HEAD;
        wire::write(&stream, dispatch(request, on_lambda), head)?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let on_lambda = std::env::var("AWS_LAMBDA_FUNCTION_NAME").is_ok_and(|name| !name.is_empty());
    for stream in TcpListener::bind("127.0.0.1:8082")?.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(err) = serve(stream, on_lambda) {
                eprintln!("serve: {err}");
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use std::io::{Read, Write};

    fn of<Form>(handler: impl Handler<Form>, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let (head, body) = handler.answer(Request::new(body.to_vec())).into_parts();
        (head.status, body)
    }

    #[test]
    fn handlers_of_both_forms() {
        let of_body = |body: Vec<u8>| if body.is_empty() { Err("no ink") } else { Ok(body) };
        assert_eq!(of(of_body, b"hi"), (StatusCode::OK, b"hi".to_vec()));
        assert_eq!(of(of_body, b""), (StatusCode::INTERNAL_SERVER_ERROR, b"no ink".to_vec()));
        let of_request = |request: Request<Vec<u8>>| Response::builder().status(201).body(request.into_body()).unwrap();
        assert_eq!(of(of_request, b"hi"), (StatusCode::CREATED, b"hi".to_vec()));
    }

    #[test]
    fn an_event_is_a_request_where_there_is_no_handler_for_it() {
        for on_lambda in [true, false] {
            let request = |source: bool| {
                let builder = Request::post("/");
                if source { builder.header("x-lambda-event-source", "aws:sqs") } else { builder }.body(b"{}".to_vec()).unwrap()
            };
            // With handle_event it is a request elsewhere than on Lambda alone.
            if cfg!(not(feature = "events")) || !on_lambda {
                assert_eq!(dispatch(request(true), on_lambda).body(), dispatch(request(false), on_lambda).body());
            }
        }
    }

    #[test]
    fn serves_request_after_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || serve(listener.accept().unwrap().0, false));
        for _ in 0..2 {
            client.write_all(b"HEAD / HTTP/1.1\r\n\r\n").unwrap();
        }
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{said}");
        server.join().unwrap().unwrap();
    }
}
