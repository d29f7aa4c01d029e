//! How a layer's bytes are packed: seen from how they begin, not from what is said of them.

use std::io::{self, BufRead, Chain, Cursor, Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::LayerError;
use crate::image::manifest;

/// How bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// By gzip.
    Gzip,
    /// By zstd.
    Zstd,
}

/// What each begins with, and those that nobody should use for layers.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z'];

impl Packing {
    /// From the first bytes.
    pub fn of(beginning: &[u8]) -> Result<Self, LayerError> {
        let begins = |magic: &[u8]| beginning.starts_with(magic);
        match () {
            () if begins(GZIP) => Ok(Self::Gzip),
            () if begins(ZSTD) => Ok(Self::Zstd),
            () if begins(BZIP2) => Err(LayerError::Packing("bzip2")),
            () if begins(XZ) => Err(LayerError::Packing("xz")),
            () => Ok(Self::Plain),
        }
    }

    /// OCI's name for a layer that is packed so.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Plain => manifest::LAYER,
            Self::Gzip => manifest::LAYER_GZIP,
            Self::Zstd => manifest::LAYER_ZSTD,
        }
    }
}

/// The bytes as they were before they were packed.
pub enum Unpacked<R: BufRead> {
    /// They were not.
    Plain(R),
    /// By gzip.
    Gzip(Box<MultiGzDecoder<R>>),
    /// By zstd.
    Zstd(Frames<R>),
}

/// The most that has to be kept in memory of what came before. What `zstd` writes without `--ultra` needs 8 MiB.
const LARGEST_WINDOW: u64 = 32 << 20;
/// A frame that is to be passed over begins with this number, or one of the 15 after it.
const PASSED_OVER: u32 = 0x184d_2a50;

impl<R: BufRead> Unpacked<R> {
    /// Looks how it is packed, and begins.
    pub fn new(mut stream: R) -> Result<Self, LayerError> {
        Ok(match Packing::of(stream.fill_buf().map_err(LayerError::Read)?)? {
            Packing::Plain => Self::Plain(stream),
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(stream))),
            Packing::Zstd => Self::Zstd(Frames::Between(Some(stream))),
        })
    }

    /// The packed stream, to see what follows.
    pub fn into_inner(self) -> Option<R> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Gzip(stream) => Some(stream.into_inner()),
            Self::Zstd(Frames::Between(stream)) => stream,
            Self::Zstd(Frames::Within(decoder)) => Some(decoder.into_inner().into_inner().1),
        }
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Gzip(stream) => stream.read(buffer),
            Self::Zstd(stream) => stream.read(buffer),
        }
    }
}

/// One frame of zstd after the other: parallel packers write many.
pub enum Frames<R: BufRead> {
    /// Where one may begin; nothing after the last.
    Between(Option<R>),
    /// In one.
    Within(Box<Frame<R>>),
}

/// One frame, whose first bytes have been looked at.
type Frame<R> = StreamingDecoder<Chain<Cursor<[u8; 4]>, R>, FrameDecoder>;

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Between(stream) => {
                    let Some(mut begins) = stream.take() else { return Ok(0) };
                    if begins.fill_buf()?.is_empty() {
                        *stream = Some(begins);
                        return Ok(0);
                    }
                    *self = Self::begin(begins)?;
                }
                Self::Within(decoder) => {
                    let count = decoder.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        return Ok(count);
                    }
                    if let Self::Within(decoder) = std::mem::replace(self, Self::Between(None)) {
                        *self = Self::Between(Some(decoder.into_inner().into_inner().1));
                    }
                }
            }
        }
    }
}

impl<R: BufRead> Frames<R> {
    fn begin(mut stream: R) -> io::Result<Self> {
        let mut magic = [0; 4];
        stream.read_exact(&mut magic)?;
        if u32::from_le_bytes(magic) & !0xf == PASSED_OVER {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            io::copy(&mut stream.by_ref().take(u32::from_le_bytes(length).into()), &mut io::sink())?;
            return Ok(Self::Between(Some(stream)));
        }
        let whole = Cursor::new(magic).chain(stream);
        let decoder =
            StreamingDecoder::new_with_max_window_size(whole, LARGEST_WINDOW).map_err(io::Error::other)?;
        Ok(Self::Within(Box::new(decoder)))
    }
}

/// Packs by gzip, always to the same bytes.
pub fn gzip<W: Write>(stream: W) -> GzEncoder<W> {
    GzEncoder::new(stream, Compression::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        Unpacked::new(bytes).unwrap().read_to_end(&mut all).unwrap();
        all
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn each_way_of_packing_is_seen_from_the_bytes() {
        let text = b"the same bytes ".repeat(10_000);
        let mut packed = gzip(Vec::new());
        packed.write_all(&text).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(Packing::of(&packed).unwrap(), Packing::Gzip);
        assert_eq!(unpacked(&packed), text);
        assert_eq!(unpacked(&zstd(&text)), text);
        assert_eq!(unpacked(&text), text);
        assert_eq!(unpacked(b""), b"");
    }

    #[test]
    fn several_pieces_one_after_the_other_are_one() {
        let passed_over = [&PASSED_OVER.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        assert_eq!(unpacked(&[zstd(b"one "), passed_over, zstd(b"two")].concat()), b"one two");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(Unpacked::new(&b"BZh9"[..]).is_err_and(|error| error.to_string().contains("bzip2")));
        let mut cut = Unpacked::new(&zstd(&[7; 1000])[..8]).map(|_| ());
        assert!(cut.is_ok());
        cut = Unpacked::new(&[0xfd, b'7', b'z', b'X', b'Z'][..]).map(|_| ());
        assert!(cut.unwrap_err().to_string().contains("xz"));
    }
}
