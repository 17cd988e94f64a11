module.exports = require('../dist/commonjs.cjs').browser;
