//! Re-embedding.

use std::ffi::{c_char, c_void};

use wisen::{Embedded, TextKind};

use crate::call::call_on;
use crate::error::{invalid, wisen_error};
use crate::raw::{Embedder, from_c};
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// What texts are, for models that embed the two in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_text_kind {
    /// Contents of memories: what is found.
    WISEN_TEXT_MEMORY = 1,
    /// Texts of queries: what it is found by.
    WISEN_TEXT_QUERY = 2,
}

/// Texts to be embedded, as an embedding function sees them. All of it stays until the function returns.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_batch {
    /// A wisen_text_kind.
    pub kind: i32,
    /// 0.
    pub reserved: u32,
    /// The texts, each followed by a NUL.
    pub texts: *const wisen_text,
    /// How many there are, at most 256.
    pub count: usize,
    /// How many numbers each vector has.
    pub dimension: usize,
    /// Where the function writes the vectors, one after the other: `count` times `dimension` numbers, all 0 as
    /// they come.
    pub vectors: *mut f32,
    /// One byte for each text, 1 as it comes: the function sets it to 0 for a text that cannot be embedded.
    pub embedded: *mut u8,
}

/// Gives vectors for texts, on the thread that re-embeds. `data` is what wisen_reembed() was handed. Returns 0 if
/// it has, and any other number if it could not, which the error of wisen_reembed() then tells. Must return, and
/// throw nothing.
pub type wisen_embed = Option<unsafe extern "C" fn(data: *mut c_void, batch: *const wisen_batch) -> i32>;

/// What wisen_reembed() did. Make it with wisen_reembedded_init().
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_reembedded {
    /// Size of this structure, for growth: set by wisen_reembedded_init().
    pub struct_size: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Memories that have a new vector.
    pub memories: u64,
    /// Reports that teach something, and whose situation was placed in the new space.
    pub placed: u64,
    /// Reports that teach something, and whose situation could not be placed: no text of the query was kept.
    pub unplaced: u64,
    /// Set by the caller: where to write the ids of the memories that are not in the new store, because they
    /// have no content, or none that can be embedded. NULL: not wanted.
    pub left_out: *mut u64,
    /// Set by the caller: how many of them there is room for at `left_out`.
    pub left_out_capacity: usize,
    /// How many memories are left out, which may be more than there was room for.
    pub left_out_count: usize,
}

/// Makes the same store in `directory`, which must be empty or missing, with vectors of another embedding model:
/// `model` is its name, `dimension` (1 to 4096) the length of its vectors. Ids, keys, contents, metadata, rules,
/// the audit and above all the outcomes stay; this store is only read. `embed` is called with up to 256 texts at a
/// time, first with the contents of memories, then with the texts of queries.
///
/// A memory without content, or whose content cannot be embedded, is left out. A report whose query was kept
/// without a text is counted in `unplaced`, and its outcome is kept where it claims least: at the new vectors of
/// the memories that it is about. Receipts that nobody has reported on are not in the new store. The directory
/// appears whole or not at all.
///
/// `reembedded` may be NULL; otherwise its `struct_size` must be set. WISEN_INVALID_ARGUMENT if `embed` fails, or if
/// a rule compares with an example vector, which has no text; what is wrong with a vector names its text within the
/// batch (wisen_error_row()); WISEN_CORRUPT if the store is damaged. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_reembed(
    store: *mut wisen_store,
    directory: *const c_char,
    directory_size: usize,
    model: *const c_char,
    model_size: usize,
    dimension: usize,
    embed: wisen_embed,
    data: *mut c_void,
    reembedded: *mut wisen_reembedded,
    error: *mut *mut wisen_error,
) -> wisen_status {
    let wanted = !reembedded.is_null();
    from_c!(store, directory, model, reembedded, error);
    let embed = Embedder::new(embed, data);
    call_on(store, error, |store| {
        let directory = directory.some_text("directory", directory_size)?;
        let model = model.some_text("model", model_size)?;
        let embed = embed.as_ref().ok_or_else(|| invalid("embed", "the pointer is NULL"))?;
        let asked = if wanted { Some(crate::raw::In::from(reembedded).read()?) } else { None };
        let room = asked.as_ref().map(|asked: &Given<'_, wisen_reembedded>| {
            asked.room("left_out", |r| (r.left_out, r.left_out_capacity))
        });
        let room = room.transpose()?;
        let told = store
            .store
            .reembed(directory, model, dimension, |kind, texts| ask(embed, kind, texts, dimension))?;
        let (Some(asked), Some((place, capacity))) = (asked, room) else {
            return Ok(());
        };
        place.write_many(told.left_out.iter().map(|id| id.0), capacity);
        reembedded.fill(&wisen_reembedded {
            memories: told.memories,
            placed: told.placed,
            unplaced: told.unplaced,
            left_out_count: told.left_out.len(),
            ..*asked
        })
    })
}

fn ask(embed: &Embedder, kind: TextKind, texts: &[&str], dimension: usize) -> Embedded {
    let texts: Vec<Chars> = texts.iter().map(|text| Chars::new(*text)).collect();
    let lent: Vec<wisen_text> = texts.iter().map(Chars::lend).collect();
    let mut vectors = vec![0.0_f32; texts.len() * dimension];
    let mut embedded = vec![1_u8; texts.len()];
    let kind = match kind {
        TextKind::Memory => wisen_text_kind::WISEN_TEXT_MEMORY,
        TextKind::Query => wisen_text_kind::WISEN_TEXT_QUERY,
    };
    let batch = wisen_batch {
        kind: kind as i32,
        reserved: 0,
        texts: lent.as_ptr(),
        count: lent.len(),
        dimension,
        vectors: vectors.as_mut_ptr(),
        embedded: embedded.as_mut_ptr(),
    };
    let answer = embed.ask(&batch);
    if answer != 0 {
        return Err(format!("it answered {answer}").into());
    }
    let vectors = vectors.chunks(dimension).zip(&embedded);
    Ok(vectors.map(|(vector, there)| if *there == 0 { Vec::new() } else { vector.to_vec() }).collect())
}
