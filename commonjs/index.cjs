module.exports = require('../dist/commonjs.cjs').index;
