//! Compressed files: told by their first bytes, whatever they are called.

use std::{borrow::Cow, io::Read};

use super::Cause;

/// Bytes that a file may unfold to.
const UNFOLDED_BYTES: u64 = 256 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A file as it is, or unfolded where it was compressed with gzip or zstd.
pub(super) fn unpack(body: &[u8]) -> Result<Cow<'_, [u8]>, Cause> {
    if body.starts_with(GZIP) {
        return unfold(flate2::read::MultiGzDecoder::new(body)).map(Cow::Owned);
    }
    if body.starts_with(ZSTD) {
        let decoder = zstd::stream::read::Decoder::new(body).map_err(|error| said(&error))?;
        return unfold(decoder).map(Cow::Owned);
    }
    Ok(Cow::Borrowed(body))
}

fn unfold(decoder: impl Read) -> Result<Vec<u8>, Cause> {
    let mut unfolded = Vec::new();
    let read = decoder.take(UNFOLDED_BYTES + 1).read_to_end(&mut unfolded).map_err(|error| said(&error))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > UNFOLDED_BYTES {
        return Err(format!("The file unfolds to more than {UNFOLDED_BYTES} bytes: split it."));
    }
    Ok(unfolded)
}

fn said(error: &std::io::Error) -> Cause {
    format!("The compressed file can't be read: {error}.")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn files_are_unfolded_by_their_first_bytes() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"[1]").unwrap();
        for packed in [gzip.finish().unwrap(), zstd::encode_all(&b"[1]"[..], 1).unwrap(), b"[1]".to_vec()] {
            assert_eq!(&*unpack(&packed).unwrap(), b"[1]");
        }
        assert!(unpack(&[0x1f, 0x8b, 0, 0]).unwrap_err().starts_with("The compressed file can't be read"));
    }
}
