// Stands for the code editor, which no panel that is drawn here needs.
module.exports = {};
