//! engine/proto
