//! Switches that break one guarantee each, to show that the test which guards it can fail
//! (`tests/sabotage.sh`). Only under the feature `sabotage`; otherwise a constant `false`.

/// Whether the environment variable `WISEN_SABOTAGE` names this switch. Read once.
#[cfg(feature = "sabotage")]
pub(crate) fn on(switch: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("WISEN_SABOTAGE").ok());
    chosen.as_deref() == Some(switch)
}

/// Nothing is ever broken on purpose.
#[cfg(not(feature = "sabotage"))]
pub(crate) const fn on(_switch: &str) -> bool {
    false
}
