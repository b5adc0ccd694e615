//! One value per setting out of four sources: the default, the file, the environment, the flags; each
//! overrules those before it.

use super::fault::{Fault, Place};
use super::key::{Key, VARIABLE_PREFIX};
use super::keys::{self, KEYS, RULE_KEYS, RULES};
use super::kind::shown;
use crate::auth::AuthFault;
use toml::{Table, Value};

/// What the sources say.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Its name and text.
    pub(crate) file: Option<(String, String)>,
    /// All variables of the environment.
    pub(crate) variables: Vec<(String, String)>,
    /// The flags that were given, in TOML's terms.
    pub(crate) flags: Vec<(&'static Key, Value)>,
}

/// Every setting with its value.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) settings: Vec<Setting>,
    /// As the file has them, checked.
    pub(crate) rules: Vec<Table>,
    pub(crate) rules_place: Place,
}

/// One setting: what holds, and who said so.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static Key,
    pub(crate) place: Place,
    /// As it was given.
    pub(crate) given: Option<Value>,
    /// In the one form of its kind.
    pub(crate) value: Option<Value>,
}

/// Variables with the prefix that are none of ours: the name of the file, and those of the project's tests.
const OTHER_VARIABLES: &[&str] = &["CONFIG", "SIM_SEED", "SIM_SEEDS", "PROTO_SEED", "PROTO_SEEDS"];

impl Sources {
    /// Settles every setting.
    ///
    /// # Errors
    /// The caller's fault: all wrong keys and values at once.
    pub(crate) fn resolve(self) -> Result<Resolved, Vec<Fault>> {
        let mut resolved = Resolved {
            settings: KEYS.iter().map(Setting::default_of).collect(),
            rules: Vec::new(),
            rules_place: Place::Default,
        };
        let mut faults = Vec::new();
        if let Some((name, text)) = self.file {
            match text.parse::<Table>() {
                Ok(table) => resolved.take_file(&name, table, &mut faults),
                Err(error) => faults.push(Fault::Syntax { file: name, cause: error.to_string() }),
            }
        }
        resolved.take_variables(&self.variables, &mut faults);
        for (key, given) in self.flags {
            let place = Place::Flag(key.flag.map_or(key.name, |(flag, _)| flag));
            let value = key.kind.read(&given).or_else(|allowed| match &given {
                Value::String(text) => key.kind.read_text(text),
                _ => Err(allowed),
            });
            resolved.put(key, place, given, value, &mut faults);
        }
        if faults.is_empty() { Ok(resolved) } else { Err(faults) }
    }
}

impl Resolved {
    /// Who set the setting of this path.
    pub(crate) fn place(&self, path: &str) -> Place {
        let found = self.settings.iter().find(|setting| setting.key.path() == path);
        found.map_or(Place::Default, |setting| setting.place.clone())
    }

    /// A fault that shows only when the keys of `[auth]` are used, with where they came from.
    pub(crate) fn auth_fault(&self, fault: AuthFault) -> Fault {
        let place = |key: &str| self.place(key);
        match fault {
            AuthFault::Value { key, allowed } => {
                let setting = self.settings.iter().find(|setting| setting.key.path() == key);
                let shown =
                    setting.filter(|setting| !setting.key.secret).and_then(|setting| setting.given.as_ref());
                let value = shown.map_or_else(|| "<set>".into(), shown_value);
                Fault::Wrong { key: key.into(), place: place(key), value, allowed }
            }
            AuthFault::File { key, file, cause } => {
                Fault::Read { key: key.into(), place: place(key), file, cause }
            }
            AuthFault::Conflict { keys } => Fault::Conflict {
                keys: keys.into_iter().map(|key| (key.into(), place(key))).collect(),
                why: "tokens are checked by one key; set one of them",
            },
        }
    }

    /// All values in their one form, as tables.
    pub(crate) fn table(&self) -> Table {
        let mut whole = Table::new();
        for Setting { key, value, .. } in &self.settings {
            let Some(value) = value else { continue };
            section(&mut whole, key.section).insert(key.name.into(), value.clone());
        }
        let rules = self.rules.iter().map(|rule| {
            let kind = |name: &str| RULE_KEYS.iter().find(|key| key.name == name).map(|key| key.kind);
            let one_form =
                rule.iter().filter_map(|(name, value)| Some((name.clone(), kind(name)?.read(value).ok()?)));
            Value::Table(one_form.collect())
        });
        let rules = rules.collect();
        section(&mut whole, "topics").insert("rules".into(), Value::Array(rules));
        whole
    }

    fn put(
        &mut self,
        key: &'static Key,
        place: Place,
        given: Value,
        value: Result<Value, String>,
        faults: &mut Vec<Fault>,
    ) {
        match value {
            Ok(value) => {
                let setting = self.settings.iter_mut().find(|setting| std::ptr::eq(setting.key, key));
                let setting = setting.expect("there is one for every key");
                *setting = Setting { key, place, given: Some(given), value: Some(value) };
            }
            Err(allowed) => faults.push(wrong(key, place, &given, allowed)),
        }
    }

    fn take_file(&mut self, name: &str, table: Table, faults: &mut Vec<Fault>) {
        let place = Place::File(name.into());
        for (entry, value) in table {
            let is_section = KEYS.iter().any(|key| key.section == entry);
            match value {
                Value::Table(inner) if is_section => {
                    for (name, value) in inner {
                        self.take_entry(&place, format!("{entry}.{name}"), value, faults);
                    }
                }
                value => self.take_entry(&place, entry, value, faults),
            }
        }
    }

    fn take_entry(&mut self, place: &Place, path: String, given: Value, faults: &mut Vec<Fault>) {
        if path == RULES {
            return self.take_rules(place, given, faults);
        }
        match keys::find(&path) {
            Some(key) => {
                let value = key.kind.read(&given);
                self.put(key, place.clone(), given, value, faults);
            }
            None if given.is_table() => {
                let known =
                    KEYS.iter().map(|key| key.section.to_owned()).filter(|section| !section.is_empty());
                faults.push(Fault::unknown(path, place.clone(), known));
            }
            None => {
                let known = KEYS.iter().map(Key::path).chain([RULES.into()]);
                faults.push(Fault::unknown(path, place.clone(), known));
            }
        }
    }

    fn take_rules(&mut self, place: &Place, given: Value, faults: &mut Vec<Fault>) {
        let rules = match given {
            Value::Array(rules) if rules.iter().all(Value::is_table) => rules,
            other => {
                let allowed = "an array of tables: [[topics.rules]]".into();
                return faults.push(Fault::wrong(RULES.into(), place.clone(), &other, allowed));
            }
        };
        let rules: Vec<Table> = rules
            .into_iter()
            .filter_map(|rule| if let Value::Table(rule) = rule { Some(rule) } else { None })
            .collect();
        for (number, rule) in rules.iter().enumerate() {
            check_rule(&format!("{RULES}[{number}]"), place, rule, faults);
        }
        (self.rules, self.rules_place) = (rules, place.clone());
    }

    fn take_variables(&mut self, variables: &[(String, String)], faults: &mut Vec<Fault>) {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
            let place = Place::Variable(name.clone());
            if let Some(key) = KEYS.iter().find(|key| key.variable() == *name) {
                self.put(key, place, Value::String(text.clone()), key.kind.read_text(text), faults);
            } else if !OTHER_VARIABLES.contains(&rest) && !is_service_link(rest) {
                faults.push(Fault::unknown(name.clone(), place, KEYS.iter().map(Key::variable)));
            }
        }
    }
}

impl Setting {
    fn default_of(key: &'static Key) -> Self {
        let value =
            key.default.map(|text| key.kind.read_text(text).expect("defaults are right: see the tests"));
        // A list, a number or a word is printed as such, a size or a duration as it is written.
        let given = match &value {
            Some(Value::Integer(_)) if !matches!(key.kind, super::kind::Kind::Count { .. }) => {
                key.default.map(Value::from)
            }
            value => value.clone(),
        };
        Self { key, place: Place::Default, given, value }
    }
}

/// What Kubernetes sets in every container for a service that is called `wsring`.
fn is_service_link(rest: &str) -> bool {
    rest.contains("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || rest == "PORT"
        || rest.starts_with("PORT_")
}

fn check_rule(path: &str, place: &Place, rule: &Table, faults: &mut Vec<Fault>) {
    for (name, value) in rule {
        let path = format!("{path}.{name}");
        match RULE_KEYS.iter().find(|key| key.name == name) {
            Some(key) if key.name == "pattern" && !value.as_str().is_some_and(crate::names::is_pattern) => {
                let allowed = "a topic or a pattern such as rooms/+ or public/#".into();
                faults.push(Fault::wrong(path, place.clone(), value, allowed));
            }
            Some(key) => {
                if let Err(allowed) = key.kind.read(value) {
                    faults.push(Fault::wrong(path, place.clone(), value, allowed));
                }
            }
            None => {
                let known = RULE_KEYS.iter().map(|key| key.name.to_owned());
                faults.push(Fault::unknown(path, place.clone(), known));
            }
        }
    }
    if !rule.contains_key("pattern") {
        faults.push(Fault::Missing { key: format!("{path}.pattern"), place: place.clone() });
    }
}

fn wrong(key: &Key, place: Place, given: &Value, allowed: String) -> Fault {
    if key.secret {
        return Fault::Wrong { key: key.path(), place, value: "<set>".into(), allowed };
    }
    Fault::wrong(key.path(), place, given, allowed)
}

fn shown_value(given: &Value) -> String {
    shown(&given.to_string())
}

fn section<'t>(whole: &'t mut Table, name: &str) -> &'t mut Table {
    if name.is_empty() {
        return whole;
    }
    let section = whole.entry(name).or_insert_with(|| Value::Table(Table::new()));
    section.as_table_mut().expect("sections are tables")
}

impl Fault {
    pub(super) fn wrong(key: String, place: Place, given: &Value, allowed: String) -> Self {
        Self::Wrong { key, place, value: shown_value(given), allowed }
    }
}
