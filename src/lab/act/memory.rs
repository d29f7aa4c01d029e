//! Holding memory: reserved at once and touched page by page, so that the kernel counts all of it.

use std::{collections::TryReserveError, hint};

use thiserror::Error;

/// No page of a Linux machine is smaller.
const PAGE: usize = 4096;

#[derive(Debug, Error)]
#[error("cannot hold {size} bytes of memory: {source}")]
pub(super) struct MemoryError {
    size: u64,
    source: TryReserveError,
}

/// Memory that stays taken as long as this lives.
pub(super) struct Held(#[expect(dead_code, reason = "it is held, never read")] Vec<u8>);

/// Takes `size` bytes.
pub(super) fn hold(size: u64) -> Result<Held, MemoryError> {
    let mut block = Vec::new();
    // What a 32-bit machine cannot even count, no allocator has.
    let bytes = usize::try_from(size).unwrap_or(usize::MAX);
    block.try_reserve_exact(bytes).map_err(|source| MemoryError { size, source })?;
    for page in block.spare_capacity_mut().chunks_mut(PAGE) {
        page[0].write(1);
    }
    Ok(Held(hint::black_box(block)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_address_space_is_refused_and_named() {
        let error = hold(u64::MAX).err().unwrap();
        assert!(error.to_string().starts_with("cannot hold 18446744073709551615 bytes"));
    }
}
