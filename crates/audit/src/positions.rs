//! Places of the log, written as ranges: `0-12,15`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A set of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// First and last of each range; ranges neither overlap nor touch.
    ranges: BTreeMap<u64, u64>,
}

/// A text that is no set of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPositions;

impl fmt::Display for NoPositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("places are written as 0-12,15")
    }
}

impl std::error::Error for NoPositions {}

impl Positions {
    /// Whether `place` is one of them.
    #[must_use]
    pub fn contains(&self, place: u64) -> bool {
        self.ranges.range(..=place).next_back().is_some_and(|(_, last)| *last >= place)
    }

    /// Adds `first` to `last`.
    pub fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last.max(first));
        // Whatever begins before the end, or right behind it, and ends at the beginning or later, is one with it.
        while let Some((&from, &to)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if to.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&from);
            (first, last) = (first.min(from), last.max(to));
        }
        self.ranges.insert(first, last);
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Self) {
        for (first, last) in &others.ranges {
            self.insert(*first, *last);
        }
    }
}

impl FromIterator<u64> for Positions {
    fn from_iter<I: IntoIterator<Item = u64>>(places: I) -> Self {
        let mut positions = Self::default();
        for place in places {
            positions.insert(place, place);
        }
        positions
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

impl FromStr for Positions {
    type Err = NoPositions;

    fn from_str(text: &str) -> Result<Self, NoPositions> {
        let mut positions = Self::default();
        for range in text.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let place = |digits: &str| match digits.parse::<u64>() {
                Ok(place) if place.to_string() == digits => Ok(place),
                _ => Err(NoPositions),
            };
            let (first, last) = (place(first)?, place(last)?);
            if first > last {
                return Err(NoPositions);
            }
            positions.insert(first, last);
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_become_one_range() {
        let positions: Positions = [5, 0, 2, 1, 7, 6, 12, u64::MAX].into_iter().collect();
        assert_eq!(positions.to_string(), format!("0-2,5-7,12,{}", u64::MAX));
        let mut positions = positions;
        positions.insert(2, 11);
        assert_eq!(positions.to_string(), format!("0-12,{}", u64::MAX));
    }

    #[test]
    fn what_is_no_set_of_places_is_refused() {
        for text in ["", ",", "1,", "-", "1-", "2-1", "a", "01", "+1", " 1", "18446744073709551616", "1-2-3"] {
            assert_eq!(text.parse::<Positions>(), Err(NoPositions), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_its_places(ranges in proptest::collection::vec((0_u64..60, 0_u64..9), 1..12)) {
            let mut positions = Positions::default();
            let mut places = BTreeSet::new();
            for (first, length) in ranges {
                positions.insert(first, first + length);
                places.extend(first..=first + length);
            }
            for place in 0..80 {
                prop_assert_eq!(positions.contains(place), places.contains(&place));
            }
            prop_assert_eq!(&positions, &places.into_iter().collect::<Positions>());
            prop_assert_eq!(positions.to_string().parse(), Ok(positions));
        }

        #[test]
        fn no_text_panics(text in "[0-9,-]{0,40}") {
            let _ = text.parse::<Positions>();
        }
    }
}
