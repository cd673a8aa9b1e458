//! How a script waits and how it gives up.

use super::addr::Answer;
use super::host::Host;
use super::registry::{Registry, fail, stopped};
use rhai::{Dynamic, EvalAltResult, INT, Position};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// What `give_up` throws. It is no defect of the script, so no line of the script is shown.
#[derive(Clone, Debug)]
pub(super) struct GaveUp(pub String);

/// How often a sleeping script looks whether it is to end.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "give_up(why)",
        "Ends the script with this sentence and exit code 1: for a dump that cannot answer. An error of the script itself is `throw`.",
    );
    r.engine
        .register_type_with_name::<GaveUp>("GaveUp")
        .register_fn("to_string", |why: &mut GaveUp| why.0.clone());
    r.engine.register_fn("give_up", |why: &str| -> Answer<()> {
        Err(Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(GaveUp(why.to_string())),
            Position::NONE,
        )))
    });
    r.function("exit([value])", "Ends the script, all in order.");
    r.function("sleep(seconds)", "Waits; Ctrl-C ends the wait too.");
    // In place of Rhai's own, which nothing wakes.
    let on = Arc::clone(host);
    r.engine
        .register_fn("sleep", move |seconds: INT| sleep(&on, seconds as f64));
    let on = Arc::clone(host);
    r.engine
        .register_fn("sleep", move |seconds: f64| sleep(&on, seconds));
}

fn sleep(host: &Host, seconds: f64) -> Answer<()> {
    let wait = Duration::try_from_secs_f64(seconds)
        .map_err(|_| fail(format!("cannot wait for {seconds} seconds")))?;
    let start = Instant::now();
    while let Some(left) = wait
        .checked_sub(start.elapsed())
        .filter(|left| !left.is_zero())
    {
        if host.is_stopped() {
            return Err(stopped());
        }
        thread::sleep(left.min(POLL_INTERVAL));
    }
    Ok(())
}
