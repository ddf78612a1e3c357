//! The lines of the selects: countries by their calling code, states of the United States.

use super::Locale;
use super::view::ChoiceView;

/// ISO 3166 code, calling code, English name, Spanish name: the countries that a deployment may allow without a text of
/// its own.
const COUNTRIES: &[(&str, &str, &str, &str)] = &[
    ("US", "1", "United States", "Estados Unidos"),
    ("AR", "54", "Argentina", "Argentina"),
    ("AS", "1", "American Samoa", "Samoa Americana"),
    ("AT", "43", "Austria", "Austria"),
    ("AU", "61", "Australia", "Australia"),
    ("BE", "32", "Belgium", "Bélgica"),
    ("BO", "591", "Bolivia", "Bolivia"),
    ("BR", "55", "Brazil", "Brasil"),
    ("BS", "1", "Bahamas", "Bahamas"),
    ("CA", "1", "Canada", "Canadá"),
    ("CH", "41", "Switzerland", "Suiza"),
    ("CL", "56", "Chile", "Chile"),
    ("CN", "86", "China", "China"),
    ("CO", "57", "Colombia", "Colombia"),
    ("CR", "506", "Costa Rica", "Costa Rica"),
    ("CZ", "420", "Czechia", "Chequia"),
    ("DE", "49", "Germany", "Alemania"),
    ("DK", "45", "Denmark", "Dinamarca"),
    ("DO", "1", "Dominican Republic", "República Dominicana"),
    ("EC", "593", "Ecuador", "Ecuador"),
    ("ES", "34", "Spain", "España"),
    ("FI", "358", "Finland", "Finlandia"),
    ("FR", "33", "France", "Francia"),
    ("GB", "44", "United Kingdom", "Reino Unido"),
    ("GR", "30", "Greece", "Grecia"),
    ("GT", "502", "Guatemala", "Guatemala"),
    ("GU", "1", "Guam", "Guam"),
    ("HN", "504", "Honduras", "Honduras"),
    ("IE", "353", "Ireland", "Irlanda"),
    ("IL", "972", "Israel", "Israel"),
    ("IN", "91", "India", "India"),
    ("IT", "39", "Italy", "Italia"),
    ("JM", "1", "Jamaica", "Jamaica"),
    ("JP", "81", "Japan", "Japón"),
    ("KR", "82", "South Korea", "Corea del Sur"),
    ("MP", "1", "Northern Mariana Islands", "Islas Marianas del Norte"),
    ("MX", "52", "Mexico", "México"),
    ("NI", "505", "Nicaragua", "Nicaragua"),
    ("NL", "31", "Netherlands", "Países Bajos"),
    ("NO", "47", "Norway", "Noruega"),
    ("NZ", "64", "New Zealand", "Nueva Zelanda"),
    ("PA", "507", "Panama", "Panamá"),
    ("PE", "51", "Peru", "Perú"),
    ("PH", "63", "Philippines", "Filipinas"),
    ("PL", "48", "Poland", "Polonia"),
    ("PR", "1", "Puerto Rico", "Puerto Rico"),
    ("PT", "351", "Portugal", "Portugal"),
    ("PY", "595", "Paraguay", "Paraguay"),
    ("SE", "46", "Sweden", "Suecia"),
    ("SG", "65", "Singapore", "Singapur"),
    ("SV", "503", "El Salvador", "El Salvador"),
    ("TT", "1", "Trinidad and Tobago", "Trinidad y Tobago"),
    ("UY", "598", "Uruguay", "Uruguay"),
    ("VE", "58", "Venezuela", "Venezuela"),
    ("VI", "1", "U.S. Virgin Islands", "Islas Vírgenes de EE. UU."),
    ("ZA", "27", "South Africa", "Sudáfrica"),
];

/// USPS codes and names: states, the district, territories.
const STATES: &[(&str, &str)] = &[
    ("AL", "Alabama"),
    ("AK", "Alaska"),
    ("AS", "American Samoa"),
    ("AZ", "Arizona"),
    ("AR", "Arkansas"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DE", "Delaware"),
    ("DC", "District of Columbia"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("GU", "Guam"),
    ("HI", "Hawaii"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("IA", "Iowa"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("ME", "Maine"),
    ("MD", "Maryland"),
    ("MA", "Massachusetts"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MS", "Mississippi"),
    ("MO", "Missouri"),
    ("MT", "Montana"),
    ("NE", "Nebraska"),
    ("NV", "Nevada"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NY", "New York"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("MP", "Northern Mariana Islands"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("PR", "Puerto Rico"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VT", "Vermont"),
    ("VI", "U.S. Virgin Islands"),
    ("VA", "Virginia"),
    ("WA", "Washington"),
    ("WV", "West Virginia"),
    ("WI", "Wisconsin"),
    ("WY", "Wyoming"),
];

/// "United States (+1)" (R19), the first of `codes` first; one without a name here keeps its code. None: the United
/// States alone.
pub fn list_countries(codes: &str, locale: Locale) -> Vec<ChoiceView> {
    let mut codes: Vec<&str> = codes.split(|c: char| !c.is_ascii_alphanumeric()).filter(|c| !c.is_empty()).collect();
    if codes.is_empty() {
        codes.push("US");
    }
    codes.into_iter().map(|code| country(code, locale)).collect()
}

fn country(code: &str, locale: Locale) -> ChoiceView {
    let known = COUNTRIES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(code));
    let label = known.map_or_else(
        || code.to_owned(),
        |(_, calling, english, spanish)| {
            let name = match locale {
                Locale::En => english,
                Locale::Es => spanish,
            };
            format!("{name} (+{calling})")
        },
    );
    ChoiceView { value: code.to_owned(), label }
}

/// The states by name, as the post writes them; the same in every language.
pub fn list_states() -> Vec<ChoiceView> {
    STATES.iter().map(|(code, name)| ChoiceView { value: (*code).to_owned(), label: (*name).to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_united_states_come_first_and_are_the_default() {
        assert_eq!(list_countries("", Locale::En)[0].label, "United States (+1)");
        let labels: Vec<_> = list_countries("US, MX,XX", Locale::Es).into_iter().map(|line| line.label).collect();
        assert_eq!(labels, ["Estados Unidos (+1)", "México (+52)", "XX"]);
    }

    #[test]
    fn places_stand_once() {
        for codes in
            [COUNTRIES.iter().map(|line| line.0).collect::<Vec<_>>(), STATES.iter().map(|line| line.0).collect()]
        {
            let mut once = codes.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), codes.len());
            assert!(codes.iter().all(|code| code.len() == 2));
        }
    }
}
