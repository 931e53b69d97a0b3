//! A first source map from the headings that people commonly use.

use engine::PhoneKind;

use super::{ColumnMapping, SourceMap, Target};
use crate::field::{FieldDefinition, FieldMeaning};
use crate::rejects::is_added_column;

/// Headings in English, French, German and Spanish, as [`key`] makes them.
const EXTERNAL_ID: &[&str] = &[
    "externalid",
    "id",
    "customerid",
    "customerno",
    "customernumber",
    "clientid",
    "contactid",
    "recordid",
    "accountid",
    "accountnumber",
    "reference",
    "ref",
    "idclient",
    "numeroclient",
    "noclient",
    "nclient",
    "nrclient",
    "identifiant",
    "kundennummer",
    "kundennr",
    "kundenid",
    "idcliente",
    "numerocliente",
    "codigocliente",
    "referencia",
];
const ZONE: &[&str] = &["zone", "timezone", "tz", "fuseauhoraire", "zeitzone", "zonahoraria"];
const PRIORITY: &[&str] = &["priority", "priorite", "prioritat", "prioritaet", "prioridad"];
const NOT_BEFORE: &[&str] = &["notbefore", "callfrom", "validfrom", "pasavant", "nichtvor", "noantesde"];
const EXPIRES_AT: &[&str] = &[
    "expiresat",
    "expires",
    "expiry",
    "expirydate",
    "validuntil",
    "expiration",
    "ablaufdatum",
    "gultigbis",
    "caducidad",
];
const PREFERRED_AGENT: &[&str] =
    &["preferredagent", "agent", "agentprefere", "bevorzugteragent", "agentepreferido"];
const PHONES: [(Option<PhoneKind>, &[&str]); 4] = [
    (
        Some(PhoneKind::Mobile),
        &[
            "mobile",
            "mobilephone",
            "mobilenumber",
            "cell",
            "cellphone",
            "gsm",
            "portable",
            "telephoneportable",
            "telportable",
            "telmobile",
            "mobil",
            "mobilnummer",
            "handy",
            "handynummer",
            "mobiltelefon",
            "movil",
            "telefonomovil",
            "celular",
        ],
    ),
    (
        Some(PhoneKind::Home),
        &[
            "home",
            "homephone",
            "phonehome",
            "privatephone",
            "teldomicile",
            "telephonedomicile",
            "telprive",
            "telephoneprive",
            "telprivat",
            "telefonprivat",
            "festnetz",
            "telefonocasa",
            "telefonoparticular",
        ],
    ),
    (
        Some(PhoneKind::Work),
        &[
            "work",
            "workphone",
            "businessphone",
            "officephone",
            "telbureau",
            "telephonebureau",
            "telpro",
            "telefongeschaftlich",
            "telgeschaft",
            "telefonburo",
            "telefonotrabajo",
            "telefonooficina",
        ],
    ),
    (
        None,
        &[
            "phone",
            "phonenumber",
            "number",
            "telephone",
            "telephonenumber",
            "tel",
            "numerodetelephone",
            "numerotelephone",
            "telefon",
            "telefonnummer",
            "rufnummer",
            "telefono",
            "numerodetelefono",
        ],
    ),
];
const FIELDS: [(FieldMeaning, &[&str]); 15] = [
    (FieldMeaning::FirstName, &["firstname", "givenname", "prenom", "vorname", "nombre"]),
    (
        FieldMeaning::LastName,
        &["lastname", "surname", "familyname", "nom", "nomdefamille", "nachname", "apellido", "apellidos"],
    ),
    (FieldMeaning::FullName, &["fullname", "name", "nomcomplet", "vollername", "nombrecompleto"]),
    (FieldMeaning::CustomerId, EXTERNAL_ID),
    (FieldMeaning::Description, &["description", "beschreibung", "descripcion"]),
    (
        FieldMeaning::Company,
        &[
            "company",
            "organisation",
            "organization",
            "societe",
            "entreprise",
            "firma",
            "unternehmen",
            "empresa",
        ],
    ),
    (
        FieldMeaning::EmailPrivate,
        &["email", "mail", "emailaddress", "courriel", "adresseemail", "correo", "correoelectronico"],
    ),
    (
        FieldMeaning::Address1,
        &["address", "address1", "street", "adresse", "adresse1", "rue", "strasse", "direccion", "calle"],
    ),
    (FieldMeaning::Address2, &["address2", "adresse2", "complement", "adresszusatz", "direccion2"]),
    (
        FieldMeaning::PostalCode,
        &["postalcode", "postcode", "zip", "zipcode", "codepostal", "plz", "postleitzahl", "codigopostal"],
    ),
    (FieldMeaning::City, &["city", "town", "ville", "ort", "stadt", "ciudad"]),
    (FieldMeaning::Region, &["region", "state", "province", "bundesland", "provincia"]),
    (FieldMeaning::Country, &["country", "pays", "land", "pais"]),
    (FieldMeaning::Language, &["language", "langue", "sprache", "idioma"]),
    (
        FieldMeaning::Notes,
        &[
            "notes",
            "note",
            "comment",
            "comments",
            "remarques",
            "commentaire",
            "bemerkung",
            "notizen",
            "notas",
            "comentarios",
        ],
    ),
];

impl SourceMap {
    /// Proposes a map for a file with these headings: what is recognised becomes a target, each once, the rest is
    /// left out. Phones are tried in the order of their columns. A person should look at it.
    pub fn guess(headings: &[String], fields: &[FieldDefinition]) -> Self {
        let mut map = Self::default();
        let mut phones = 0;
        for heading in headings.iter().filter(|heading| !is_added_column(heading)) {
            let key = key(heading);
            let twice = headings
                .iter()
                .filter(|other| super::heading_key(other) == super::heading_key(heading))
                .count()
                > 1;
            if twice || key.is_empty() {
                continue;
            }
            let single = single(&key).filter(|target| !map.has(target));
            // The campaign's own name for a field ranks above a guess, except for what every contact needs.
            let target = match single {
                Some(Target::ExternalId) => Some(Target::ExternalId),
                _ => field_by_name(&key, fields)
                    .or(single)
                    .or_else(|| phone(&key, &mut phones))
                    .or_else(|| field_by_meaning(&key, fields)),
            };
            if let Some(target) = target.filter(|target| !map.has(target)) {
                map.columns.push(ColumnMapping { column: heading.clone(), target, date_format: None });
            }
        }
        map
    }

    fn has(&self, target: &Target) -> bool {
        self.columns.iter().any(|mapping| mapping.target.is_same_as(target))
    }
}

fn single(key: &str) -> Option<Target> {
    [
        (Target::ExternalId, EXTERNAL_ID),
        (Target::Zone, ZONE),
        (Target::Priority, PRIORITY),
        (Target::NotBefore, NOT_BEFORE),
        (Target::ExpiresAt, EXPIRES_AT),
        (Target::PreferredAgent, PREFERRED_AGENT),
    ]
    .into_iter()
    .find(|(_, words)| words.contains(&key))
    .map(|(target, _)| target)
}

/// A phone, with or without a number of its own (`phone`, `phone2`, `tel_mobile_1`).
fn phone(key: &str, phones: &mut u8) -> Option<Target> {
    let word = key.trim_end_matches(|last: char| last.is_ascii_digit());
    let (kind, _) = PHONES.into_iter().find(|(_, words)| words.contains(&word))?;
    *phones = phones.checked_add(1)?;
    Some(Target::Phone { order: *phones, kind })
}

fn field_by_name(heading: &str, fields: &[FieldDefinition]) -> Option<Target> {
    let field = fields.iter().find(|field| key(field.name.as_str()) == heading)?;
    Some(Target::Field { name: field.name.clone() })
}

fn field_by_meaning(heading: &str, fields: &[FieldDefinition]) -> Option<Target> {
    let (meaning, _) = FIELDS.into_iter().find(|(_, words)| words.contains(&heading))?;
    let field = fields.iter().find(|field| field.meaning == meaning)?;
    Some(Target::Field { name: field.name.clone() })
}

/// A heading without case, accents, white space and punctuation.
fn key(heading: &str) -> String {
    heading
        .chars()
        .flat_map(char::to_lowercase)
        .flat_map(|character| match character {
            'à' | 'á' | 'â' | 'ä' => ['a', '\0'],
            'è' | 'é' | 'ê' | 'ë' => ['e', '\0'],
            'ì' | 'í' | 'î' | 'ï' => ['i', '\0'],
            'ò' | 'ó' | 'ô' | 'ö' => ['o', '\0'],
            'ù' | 'ú' | 'û' | 'ü' => ['u', '\0'],
            'ç' => ['c', '\0'],
            'ñ' => ['n', '\0'],
            'ß' => ['s', 's'],
            other => [other, '\0'],
        })
        .filter(|character| character.is_alphanumeric())
        .collect()
}
