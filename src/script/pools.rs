//! The pools as the verdict sees them, for scripts that want no owner named: `pools()`.

use super::bridge::rows;
use super::host::Host;
use super::registry::Registry;
use crate::commands::leak;
use rkd_kernel::leak::Books;
use std::sync::Arc;

/// Registers the function.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "pools()",
        "Both pools as the rows of kind `pool` of `!leak`: pool, bytes, pages_bytes, tags_bytes, large_bytes, share (of the memory, 0 to 1), limit, abnormal, excessive, differences. Nobody's code is read for it.",
    );
    let of = Arc::clone(host);
    r.engine.register_fn("pools", move || {
        rows(&of, |session, sink| {
            leak::pools(&Books::read(&session.target.kernel)?, sink)
        })
    });
}
