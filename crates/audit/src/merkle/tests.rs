//! Against the definitions of RFC 9162, 2.1, and the roots that the Certificate Transparency project published.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The definition of the tree head (2.1.1).
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(usize::try_from(left_size(leaves.len() as u64)).unwrap());
            hash_node(&root(left), &root(right))
        }
    }
}

/// A path as the log makes it: ranges from stored subtrees.
pub(crate) fn path(leaves: &[Hash], index: u64) -> Vec<Hash> {
    fold_all(&stored(leaves), list_inclusion_ranges(index, leaves.len() as u64))
}

fn stored(leaves: &[Hash]) -> BTreeMap<Subtree, Hash> {
    let mut frontier = Frontier::default();
    leaves.iter().flat_map(|leaf| frontier.push(*leaf)).collect()
}

fn fold_all(stored: &BTreeMap<Subtree, Hash>, ranges: Vec<Range>) -> Vec<Hash> {
    let fold = |range: Range| Range::fold(&range.subtrees().iter().map(|subtree| stored[subtree]).collect::<Vec<_>>());
    ranges.into_iter().map(fold).collect()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| hash_entry(&number.to_be_bytes())).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), EMPTY_ROOT);
    assert_eq!(hash(&[]), EMPTY_ROOT);
    for (entry, root) in entries.into_iter().zip(roots) {
        frontier.push(hash_entry(&from_hex(entry)));
        assert_eq!(frontier.root().as_slice(), from_hex(root));
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_shown_and_nothing_else() {
    for size in 1..40 {
        let leaves = leaves(size);
        let root = root(&leaves);
        for (index, leaf) in (0..).zip(&leaves) {
            let path = path(&leaves, index);
            assert!(verify_inclusion(leaf, index, size, &path, &root), "{index} of {size}");
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(!verify_inclusion(leaf, other, size, &path, &root), "{index} as {other} of {size}");
            }
            assert!(!verify_inclusion(&[0; 32], index, size, &path, &root));
            let longer = [path.as_slice(), &[[1; 32]]].concat();
            assert!(!verify_inclusion(leaf, index, size, &longer, &root));
            if let Some((_, shorter)) = path.split_last() {
                assert!(!verify_inclusion(leaf, index, size, shorter, &root));
            }
        }
        assert!(list_inclusion_ranges(size, size).is_empty());
    }
}

#[test]
fn every_small_tree_begins_with_its_beginnings_and_with_no_other() {
    for new in 0..40 {
        let all = leaves(new);
        for old in 0..=new {
            let (old_root, new_root) = (root(&all[..usize::try_from(old).unwrap()]), root(&all));
            let path = fold_all(&stored(&all), list_consistency_ranges(old, new));
            assert!(verify_consistency((old, &old_root), (new, &new_root), &path), "{old} of {new}");
            if old < new {
                assert!(!verify_consistency((old, &[9; 32]), (new, &new_root), &path), "{old} of {new}");
                assert!(!verify_consistency((new, &new_root), (old, &old_root), &path), "shrunk: {new} to {old}");
                let longer = [path.as_slice(), &[[1; 32]]].concat();
                assert!(!verify_consistency((old, &old_root), (new, &new_root), &longer), "{old} of {new}");
            }
            if old > 0 {
                assert!(!verify_consistency((old, &old_root), (new, &[9; 32]), &path), "{old} of {new}");
            }
            for changed in 0..path.len() {
                let mut path = path.clone();
                path[changed][31] ^= 1;
                assert!(!verify_consistency((old, &old_root), (new, &new_root), &path), "{old} of {new}");
            }
        }
    }
}

#[test]
fn a_tree_goes_on_from_what_was_stored() {
    let all = leaves(100);
    let stored = stored(&all);
    for size in 0..100 {
        let subtrees = Range { start: 0, end: size }.subtrees().iter().map(|subtree| stored[subtree]).collect();
        let mut frontier = Frontier::new(size, subtrees).unwrap();
        frontier.push(all[usize::try_from(size).unwrap()]);
        assert_eq!((frontier.size(), frontier.root()), (size + 1, root(&all[..=usize::try_from(size).unwrap()])));
    }
    assert_eq!(Frontier::new(3, vec![[0; 32]]), None);
}

proptest! {
    #[test]
    fn big_trees_are_shown_too(size in 1_u64..3_000, index in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let (stored, whole) = (stored(&all), root(&all));
        let index = index.index(all.len());
        let path = fold_all(&stored, list_inclusion_ranges(index as u64, size));
        prop_assert!(path.len() <= 12);
        prop_assert!(verify_inclusion(&all[index], index as u64, size, &path, &whole));
        let old = old.index(all.len());
        let path = fold_all(&stored, list_consistency_ranges(old as u64, size));
        prop_assert!(verify_consistency((old as u64, &root(&all[..old])), (size, &whole), &path));
    }

    #[test]
    fn no_sizes_panic(index in any::<u64>(), size in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let _ = verify_inclusion(&[0; 32], index, size, &path, &[0; 32]);
        let _ = verify_consistency((index, &[0; 32]), (size, &[1; 32]), &path);
        for range in list_inclusion_ranges(index, size).into_iter().chain(list_consistency_ranges(index, size)) {
            prop_assert!(range.subtrees().len() <= 64);
        }
    }
}
