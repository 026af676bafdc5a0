//! Compressed files, told by their first bytes, whatever they are called; and how much of a file one item may take.

use std::{
    cell::Cell,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use super::Cause;

/// Bytes of a file that may pass without an item: items are far shorter, and what has no end would fill the memory.
const ITEM_BYTES: u64 = 8 << 20;
/// Bytes that are read ahead.
const BUFFER_BYTES: usize = 64 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A file's content, unfolded where it was compressed with gzip or zstd, without a byte order mark.
pub(super) struct Content {
    reader: BufReader<Metered>,
    pub(super) meter: Meter,
}

/// Counts the bytes since the last item.
#[derive(Clone, Default)]
pub(super) struct Meter {
    since: Rc<Cell<u64>>,
    counts: Rc<Cell<bool>>,
}

struct Metered {
    inner: Box<dyn Read>,
    meter: Meter,
}

impl Content {
    pub(super) fn of(file: impl Read + 'static) -> Result<Content, Cause> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let start = file.fill_buf().map_err(|error| said(&error))?;
        let (is_gzip, is_zstd) = (start.starts_with(GZIP), start.starts_with(ZSTD));
        let inner: Box<dyn Read> = if is_gzip {
            Box::new(flate2::bufread::MultiGzDecoder::new(file))
        } else if is_zstd {
            Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(|error| said(&error))?)
        } else {
            Box::new(file)
        };
        let meter = Meter::default();
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, Metered { inner, meter: meter.clone() });
        if reader.fill_buf().map_err(|error| said(&error))?.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Content { reader, meter })
    }

    /// All of it, at most so many bytes.
    pub(super) fn whole(mut self, most: usize) -> Result<Vec<u8>, Cause> {
        let mut whole = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        self.by_ref().take(limit.saturating_add(1)).read_to_end(&mut whole).map_err(|error| said(&error))?;
        if whole.len() > most { Err(format!("The file has more than {most} bytes: split it.")) } else { Ok(whole) }
    }
}

impl Meter {
    /// From here on, items follow one another.
    pub(super) fn begin(&self) {
        self.counts.set(true);
        self.since.set(0);
    }

    /// What follows is no item.
    pub(super) fn end(&self) {
        self.counts.set(false);
    }

    /// An item was read; the bytes that it took, more or less.
    pub(super) fn item(&self) -> u64 {
        self.since.replace(0)
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let since = self.meter.since.get().saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.meter.since.set(since);
        if self.meter.counts.get() && since > ITEM_BYTES {
            return Err(io::Error::other(format!("an item has more than {ITEM_BYTES} bytes")));
        }
        Ok(count)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl BufRead for Content {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

fn said(error: &io::Error) -> Cause {
    format!("The file can't be read: {error}.")
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn content(bytes: Vec<u8>) -> Result<Vec<u8>, Cause> {
        Content::of(Cursor::new(bytes))?.whole(100)
    }

    #[test]
    fn files_are_unfolded_by_their_first_bytes() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"[1]").unwrap();
        let marked = "\u{feff}[1]".as_bytes().to_vec();
        for packed in [gzip.finish().unwrap(), zstd::encode_all(&b"[1]"[..], 1).unwrap(), b"[1]".to_vec(), marked] {
            assert_eq!(content(packed).unwrap(), b"[1]");
        }
        assert!(content(vec![0x1f, 0x8b, 0, 0]).unwrap_err().starts_with("The file can't be read"));
        assert_eq!(content(vec![b' '; 101]).unwrap_err(), "The file has more than 100 bytes: split it.");
        assert_eq!(content(Vec::new()).unwrap(), b"");
    }

    #[test]
    fn an_item_has_an_end() {
        let file = io::repeat(b'x');
        let mut content = Content::of(file).unwrap();
        content.meter.begin();
        let error = content.read_until(b'\n', &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("an item has more than"), "{error}");
    }
}
