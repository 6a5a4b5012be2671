//! The part of JSON Schema that the model of the rules uses, so that outcomes can be held against it.

use serde_json::Value;

pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn new(root: Value) -> Self {
        Self(root)
    }

    /// Whether the value fits the definition of this name.
    pub(crate) fn fits(&self, definition: &str, value: &Value) -> bool {
        self.ok(&self.0["$defs"][definition], value)
    }

    fn ok(&self, schema: &Value, value: &Value) -> bool {
        let Some(rules) = schema.as_object() else { return schema != false };
        rules.iter().all(|(rule, with)| self.rule_ok(schema, rule, with, value))
    }

    fn rule_ok(&self, schema: &Value, rule: &str, with: &Value, value: &Value) -> bool {
        let list = || with.as_array().expect("a list in the model");
        let length = value.as_array().map(Vec::len);
        match rule {
            "$ref" => self.ok(self.0.pointer(&with.as_str().expect("a reference")[1..]).expect("its target"), value),
            "enum" => list().contains(value),
            "const" => with == value,
            "type" => has_type(with.as_str().expect("a type"), value),
            "minimum" => value.as_i64().is_none_or(|n| n >= with.as_i64().expect("a number")),
            "maximum" => value.as_i64().is_none_or(|n| n <= with.as_i64().expect("a number")),
            "minItems" => length.is_none_or(|n| n as u64 >= with.as_u64().expect("a number")),
            "maxItems" => length.is_none_or(|n| n as u64 <= with.as_u64().expect("a number")),
            "uniqueItems" => {
                value.as_array().is_none_or(|items| (1..items.len()).all(|i| !items[..i].contains(&items[i])))
            }
            "pattern" => {
                assert_eq!(with, "^[0-9a-f]{64}$", "the only pattern of the model");
                let hex = |text: &str| text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
                value.as_str().is_none_or(hex)
            }
            "required" => value
                .as_object()
                .is_none_or(|fields| list().iter().all(|name| fields.contains_key(name.as_str().expect("a name")))),
            "properties" => value
                .as_object()
                .is_none_or(|fields| fields.iter().all(|(name, item)| self.ok(&with[name.as_str()], item))),
            "additionalProperties" => value.as_object().is_none_or(|fields| {
                let known = schema["properties"].as_object().expect("properties");
                with != false || fields.keys().all(|name| known.contains_key(name))
            }),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| self.ok(with, item))),
            "oneOf" => list().iter().filter(|one| self.ok(one, value)).count() == 1,
            "anyOf" => list().iter().any(|one| self.ok(one, value)),
            "allOf" => list().iter().all(|one| self.ok(one, value)),
            "if" => !self.ok(with, value) || self.ok(&schema["then"], value),
            "then" | "description" | "default" => true,
            other => panic!("the model uses {other}, which is not checked"),
        }
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the model uses the type {other}, which is not checked"),
    }
}
