//! JSON that keeps the order of its keys, so that the published document reads in the order in which things are declared.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Anything but a list or an object.
    Leaf(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The JSON of a wire type, fields in the order of their declaration.
    pub fn of(value: &impl Serialize) -> Self {
        let text = serde_json::to_string(value).expect("wire types have text keys and serialise");
        Self::parse(&text)
    }

    /// Reads JSON of our own making.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).expect("what serde_json wrote, it reads")
    }

    /// Indented, with a line end at the end.
    pub fn pretty(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a tree of JSON serialises");
        text + "\n"
    }

    pub fn text(text: &str) -> Self {
        Self::Leaf(Value::from(text))
    }

    pub fn map<const N: usize>(entries: [(&str, Node); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
    }

    /// `{"$ref": "#/components/KIND/NAME"}`
    pub fn reference(kind: &str, name: &str) -> Self {
        Self::map([("$ref", Self::text(&format!("#/components/{kind}/{name}")))])
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub fn entries(&self) -> &[(String, Node)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    pub fn entries_mut(&mut self) -> &mut [(String, Node)] {
        if let Self::Map(entries) = self { entries } else { &mut [] }
    }

    pub fn elements(&self) -> &[Node] {
        if let Self::List(elements) = self { elements } else { &[] }
    }

    pub fn elements_mut(&mut self) -> &mut [Node] {
        if let Self::List(elements) = self { elements } else { &mut [] }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries_mut().iter_mut().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Follows keys downwards.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Replaces the value of a key, or adds it at the end.
    pub fn set(&mut self, key: &str, value: Node) {
        let Self::Map(entries) = self else { return };
        match entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let Self::Map(entries) = self else { return None };
        let at = entries.iter().position(|(name, _)| name == key)?;
        Some(entries.remove(at).1)
    }

    /// Calls `visit` on every node, children first.
    pub fn walk(&mut self, visit: &mut impl FnMut(&mut Node)) {
        match self {
            Self::Leaf(_) => {}
            Self::List(elements) => elements.iter_mut().for_each(|node| node.walk(visit)),
            Self::Map(entries) => entries.iter_mut().for_each(|(_, node)| node.walk(visit)),
        }
        visit(self);
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::List(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                elements.iter().try_for_each(|node| list.serialize_element(node))?;
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, node)| map.serialize_entry(key, node))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::text(value))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(node) = list.next_element()? {
            elements.push(node);
        }
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some((key, node)) = map.next_entry()? {
            if entries.iter().any(|(name, _)| *name == key) {
                return Err(serde::de::Error::custom("a key is given twice"));
            }
            entries.push((key, node));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_a_repeated_key_refused() {
        let text = r#"{"z":1,"a":[true,null,"x",1.5],"m":{"b":{},"a":-1}}"#;
        assert_eq!(serde_json::to_string(&Node::parse(text)).unwrap(), text);
        assert!(serde_json::from_str::<Node>(r#"{"a":1,"b":2,"a":3}"#).is_err());
    }

    #[test]
    fn setting_replaces_in_place_or_adds_at_the_end() {
        let mut node = Node::parse(r#"{"a":1,"b":2}"#);
        node.set("a", Node::text("x"));
        node.set("c", Node::text("y"));
        assert_eq!(serde_json::to_string(&node).unwrap(), r#"{"a":"x","b":2,"c":"y"}"#);
    }
}
