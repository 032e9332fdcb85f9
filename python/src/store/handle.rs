//! The engine, shared by a `Store` and the iterators over it.

use std::ops::Deref;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::errors::call;

/// The last handle that goes flushes the store and stops its threads, with the interpreter released.
#[derive(Clone)]
pub(crate) struct Handle {
    /// `None` only while it is dropped.
    engine: Option<Arc<wisen::Store>>,
}

impl Handle {
    pub(crate) fn new(engine: wisen::Store) -> Self {
        Self { engine: Some(Arc::new(engine)) }
    }
}

impl Deref for Handle {
    type Target = wisen::Store;

    fn deref(&self) -> &wisen::Store {
        self.engine.as_deref().expect("the engine is taken out only by drop")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take().and_then(Arc::into_inner) else { return };
        let let_go = move || {
            drop(engine);
            Ok(())
        };
        // Nobody is left who could be told of an error; a store that has to know is closed.
        let _ = Python::try_attach(|py| call(py, let_go));
    }
}
