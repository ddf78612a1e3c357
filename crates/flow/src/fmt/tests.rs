use super::*;

#[test]
fn a_file_is_put_in_order_and_stays_so() {
    let text = "\n\n# policy\n#a word\nformat=1\nid =  \"x\"  # the id\r\n\n\n\n[step]\nend={ kind=\"stop\" }\n\
                long_name = [ # why\n  { a = 1 },\n]\t\n[step.next]\nkind = \"a # b = c\"\n\n\n";
    let formatted = format(text).unwrap();
    let expected = "# policy\n# a word\nformat = 1\nid     = \"x\"  # the id\n\n[step]\nend       = { kind=\"stop\" }\n\
                    long_name = [ # why\n    { a = 1 },\n]\n\n[step.next]\nkind = \"a # b = c\"\n";
    assert_eq!(formatted, expected);
    assert_eq!(format(&formatted).as_deref(), Ok(expected));
}

#[test]
fn what_is_no_toml_is_refused() {
    assert!(matches!(format("a = "), Err(FormatError::NoToml(_))));
}

#[test]
fn texts_over_several_lines_stay_as_they_are() {
    let text = "a = \"\"\"\n  [not a table]  \n\"\"\"\nbcd = 1\n";
    assert_eq!(format(text).unwrap(), "a   = \"\"\"\n  [not a table]  \n\"\"\"\nbcd = 1\n");
}

#[test]
fn every_shipped_policy_says_the_same_afterwards() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let formatted = format(&text).unwrap();
            assert_eq!(formatted.matches('#').count(), text.matches('#').count(), "{}", path.display());
            assert_eq!(format(&formatted).unwrap(), formatted, "{}", path.display());
        }
    }
}
