//! The tree over the entries (RFC 9162, 2.1): SHA-256, leaves and nodes told apart by their first byte.
//!
//! A **subtree** of level `l` and position `p` covers the 2^l leaves from p·2^l on; its hash never changes once they are
//! there, so it can be stored. Proofs are lists of **ranges** of leaves, each the sum of a few such subtrees.

use aws_lc_rs::digest;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The root of the tree without leaves: the hash of nothing.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The hash of a leaf with this entry.
#[must_use]
pub fn hash_entry(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

fn hash_node(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A perfect subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subtree {
    /// It has 2 to this power leaves.
    pub level: u32,
    /// How many subtrees of its level are before it.
    pub position: u64,
}

/// Leaves from `start` up to but not with `end`, as one node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: u64,
    /// The first after it.
    pub end: u64,
}

impl Range {
    /// The perfect subtrees it is made of, from left to right: at most 64.
    #[must_use]
    pub fn subtrees(self) -> Vec<Subtree> {
        let (mut start, mut list) = (self.start, Vec::new());
        while start < self.end {
            let level = (self.end - start).ilog2();
            list.push(Subtree { level, position: start >> level });
            start += 1 << level;
        }
        list
    }

    /// Its hash, from the hashes of its subtrees, in their order.
    #[must_use]
    pub fn fold(subtrees: &[Hash]) -> Hash {
        let Some((last, before)) = subtrees.split_last() else { return EMPTY_ROOT };
        before.iter().rev().fold(*last, |right, left| hash_node(left, &right))
    }
}

/// A growing tree: of all that was appended, only what its root needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Hashes of the subtrees of the whole range.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The tree of `size` leaves, by the hashes of `Range { 0, size }.subtrees()`; none if their number is another.
    #[must_use]
    pub fn new(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        (subtrees.len() == size.count_ones() as usize).then_some(Self { size, subtrees })
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf. Answers the subtrees that became perfect by it, beginning with the leaf.
    pub fn push(&mut self, leaf: Hash) -> Vec<(Subtree, Hash)> {
        let mut subtree = Subtree { level: 0, position: self.size };
        let mut hash = leaf;
        let mut perfect = vec![(subtree, hash)];
        while subtree.position % 2 == 1 {
            let Some(left) = self.subtrees.pop() else { break };
            hash = hash_node(&left, &hash);
            subtree = Subtree { level: subtree.level + 1, position: subtree.position / 2 };
            perfect.push((subtree, hash));
        }
        self.subtrees.push(hash);
        self.size += 1;
        perfect
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        Range::fold(&self.subtrees)
    }
}

/// The ranges whose hashes show that leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1), from the leaf
/// up; nothing if it is not.
#[must_use]
pub fn list_inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let (mut start, mut end, mut ranges) = (0, size, Vec::new());
    while index < size && end - start > 1 {
        let middle = start + left_size(end - start);
        if index < middle {
            ranges.push(Range { start: middle, end });
            end = middle;
        } else {
            ranges.push(Range { start, end: middle });
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose hashes show that the tree of `new` leaves begins with that of `old` (RFC 9162, 2.1.4.1); nothing
/// where there is nothing to show.
#[must_use]
pub fn list_consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    if old == 0 || old >= new {
        return ranges;
    }
    let (mut start, mut end, mut is_whole) = (0, new, true);
    while end != old {
        let middle = start + left_size(end - start);
        if old <= middle {
            ranges.push(Range { start: middle, end });
            end = middle;
        } else {
            ranges.push(Range { start, end: middle });
            (start, is_whole) = (middle, false);
        }
    }
    if !is_whole {
        ranges.push(Range { start, end });
    }
    ranges.reverse();
    ranges
}

/// How many leaves the left child of a node with `leaves` (two at least) has: the largest power of two below.
fn left_size(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Whether `path` leads from the leaf at `index` to the root of the tree of `size` leaves (RFC 9162, 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut number, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if number % 2 == 1 || number == last {
            hash = hash_node(sibling, &hash);
            while number % 2 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            hash = hash_node(&hash, sibling);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the tree of `new` leaves begins with that of `old` (RFC 9162, 2.1.4.2).
#[must_use]
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return old == 0 && path.is_empty() && *old_root == EMPTY_ROOT;
    }
    let whole: &[Hash] = if old.is_power_of_two() { std::slice::from_ref(old_root) } else { &[] };
    let mut path = whole.iter().chain(path);
    let Some(first) = path.next() else { return false };
    let (mut number, mut last) = (old - 1, new - 1);
    while number % 2 == 1 {
        (number, last) = (number >> 1, last >> 1);
    }
    let (mut begins, mut all) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if number % 2 == 1 || number == last {
            (begins, all) = (hash_node(sibling, &begins), hash_node(sibling, &all));
            while number % 2 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            all = hash_node(&all, sibling);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    last == 0 && begins == *old_root && all == *new_root
}

#[cfg(test)]
pub(crate) mod tests;
