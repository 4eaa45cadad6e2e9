//! HTTP/1.1 as the watchdog speaks it.

use http::{Request, Response};
use std::io::{BufRead, Error, ErrorKind, Result, Write};

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_string())
}

fn line(from: &mut impl BufRead) -> Result<Option<String>> {
    let mut text = String::new();
    let n = from.read_line(&mut text)?;
    Ok((n > 0).then(|| text.trim_end().to_string()))
}

/// Reads a request to its end; None where there are no more.
pub fn read(from: &mut impl BufRead) -> Result<Option<Request<Vec<u8>>>> {
    let Some(first) = line(from)? else { return Ok(None) };
    let mut words = first.split(' ');
    let mut request = Request::builder()
        .method(words.next().unwrap_or_default())
        .uri(words.next().ok_or_else(|| invalid("no path"))?);
    let (mut length, mut chunked) = (0, false);
    loop {
        let text = line(from)?.ok_or_else(|| invalid("headers end early"))?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| invalid("no header"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(invalid)?,
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
        request = request.header(name, value);
    }
    let body = if chunked { chunks(from)? } else { exactly(from, length)? };
    request.body(body).map(Some).map_err(invalid)
}

fn exactly(from: &mut impl BufRead, length: usize) -> Result<Vec<u8>> {
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn chunks(from: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(from)?.ok_or_else(|| invalid("body ends early"))?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16).map_err(invalid)?;
        if size == 0 {
            while line(from)?.is_some_and(|trailer| !trailer.is_empty()) {}
            return Ok(body);
        }
        body.append(&mut exactly(from, size)?);
        line(from)?;
    }
}

/// Writes a response whole.
pub fn write(mut to: impl Write, response: Response<Vec<u8>>, head: bool) -> Result<()> {
    let mut out = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", response.status(), response.body().len()).into_bytes();
    for (name, value) in response.headers() {
        if name != http::header::CONTENT_LENGTH {
            out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
    }
    out.extend(b"\r\n");
    if !head {
        out.extend(response.body());
    }
    to.write_all(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_and_without_length() {
        let mut wire: &[u8] = b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiPUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        let first = read(&mut wire).unwrap().unwrap();
        assert_eq!((first.method().as_str(), first.uri().query(), first.body().as_slice()), ("POST", Some("b=1"), &b"hi"[..]));
        assert_eq!(read(&mut wire).unwrap().unwrap().body(), b"abcde");
        assert!(read(&mut wire).unwrap().is_none());
    }

    #[test]
    fn broken_requests_are_errors() {
        for wire in ["POST\r\n\r\n", "POST / HTTP/1.1\r\nx\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"] {
            assert!(read(&mut wire.as_bytes()).is_err(), "{wire}");
        }
    }

    #[test]
    fn responses() {
        let mut out = Vec::new();
        write(&mut out, Response::builder().status(201).header("x-a", "1").body(b"hi".to_vec()).unwrap(), false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx-a: 1\r\n\r\nhi");
    }
}
