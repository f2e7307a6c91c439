//! What each part of the API answers, one file per tag of the document.
