//! Which patterns stand for a name: a tree of their levels, walked along the name.
//!
//! What a look-up costs depends on the levels of the name and the patterns that begin like it, not on how
//! many others there are.

use super::log::Log;
use hashbrown::HashMap;
use std::sync::Arc;

/// Patterns that somebody is subscribed to.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    levels: HashMap<Box<str>, Self>,
    /// The pattern that ends here.
    here: Option<Arc<Log>>,
}

impl Patterns {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn find(&self, pattern: &str) -> Option<&Arc<Log>> {
        let mut node = &self.root;
        for level in pattern.split('/') {
            node = node.levels.get(level)?;
        }
        node.here.as_ref()
    }

    pub(super) fn insert(&mut self, log: &Arc<Log>) {
        let mut node = &mut self.root;
        for level in log.name().split('/') {
            node = node.levels.entry_ref(level).or_default();
        }
        if node.here.replace(Arc::clone(log)).is_none() {
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, pattern: &str) {
        if self.root.remove(pattern.split('/')) {
            self.count -= 1;
        }
    }

    /// All patterns that stand for a name.
    pub(super) fn matching(&self, name: &str) -> Vec<Arc<Log>> {
        let mut found = Vec::new();
        let levels: Vec<&str> = name.split('/').collect();
        self.root.collect(&levels, &mut found);
        found
    }
}

impl Node {
    fn collect(&self, levels: &[&str], found: &mut Vec<Arc<Log>>) {
        if let Some(rest) = self.levels.get("#") {
            found.extend(rest.here.clone());
        }
        let Some((level, levels)) = levels.split_first() else {
            return found.extend(self.here.clone());
        };
        for next in [self.levels.get(*level), self.levels.get("+")].into_iter().flatten() {
            next.collect(levels, found);
        }
    }

    /// Whether it was there. Levels that lead nowhere go with it.
    fn remove<'a>(&mut self, mut levels: impl Iterator<Item = &'a str>) -> bool {
        let Some(level) = levels.next() else { return self.here.take().is_some() };
        let Some(next) = self.levels.get_mut(level) else { return false };
        let removed = next.remove(levels);
        if next.here.is_none() && next.levels.is_empty() {
            self.levels.remove(level);
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::{check_pattern, matches};
    use super::*;

    fn log(pattern: &str) -> Arc<Log> {
        Log::new(pattern, 0, Arc::default(), true)
    }

    /// Every pattern and every name of up to three levels out of a few, against `matches`.
    #[test]
    fn the_tree_agrees_with_matching_one_by_one() {
        let three = |levels: &[&str]| -> Vec<String> {
            let mut all: Vec<String> = levels.iter().map(ToString::to_string).collect();
            for first in levels {
                for second in levels {
                    all.push(format!("{first}/{second}"));
                    all.extend(levels.iter().map(|third| format!("{first}/{second}/{third}")));
                }
            }
            all
        };
        let patterns: Vec<String> = three(&["a", "b", "+", "#"])
            .into_iter()
            .filter(|pattern| check_pattern(pattern).is_ok())
            .collect();
        let mut tree = Patterns::default();
        patterns.iter().for_each(|pattern| tree.insert(&log(pattern)));
        assert_eq!(tree.len(), patterns.len());
        let check = |tree: &Patterns, patterns: &[String]| {
            for name in three(&["a", "b", "c"]) {
                let mut found: Vec<String> =
                    tree.matching(&name).iter().map(|log| log.name().to_owned()).collect();
                let mut expected: Vec<String> =
                    patterns.iter().filter(|pattern| matches(pattern, &name)).cloned().collect();
                found.sort();
                expected.sort();
                assert_eq!(found, expected, "{name}");
            }
        };
        check(&tree, &patterns);
        let (gone, left) = patterns.split_at(patterns.len() / 2);
        for pattern in gone {
            assert!(tree.find(pattern).is_some());
            tree.remove(pattern);
            assert!(tree.find(pattern).is_none());
        }
        check(&tree, left);
        left.iter().for_each(|pattern| tree.remove(pattern));
        assert_eq!(tree.len(), 0);
        assert!(tree.root.levels.is_empty(), "nothing is left of what was removed");
    }
}
